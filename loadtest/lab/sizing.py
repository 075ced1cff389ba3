"""``python -m loadtest sweep`` and ``advise``."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from rich.console import Console

from loadtest import scenario
from loadtest.exits import EXIT_MISSED
from loadtest.lab import advice_text, advise, sweep, verdict
from loadtest.lab.advise import cores_here
from loadtest.lab.errors import LabError
from loadtest.lab.run import default_runs, new_directory
from loadtest.lab.runner import INTERRUPTED
from loadtest.lab.targets import versions
from loadtest.scenario import DEADLINE, Scenario


def sweep_settings(console: Console, arguments: Sequence[str]) -> int:
    """Try the same traffic with many settings of the pool, and advise."""
    options = _sweep_parser().parse_args(arguments)
    wanted = scenario.load(options.scenario)
    try:
        settings = sweep.grid(
            sweep.numbers(options.pool_size, 1),
            sweep.numbers(options.max_overflow, 0),
            [float(value) for value in options.pool_timeout.split(",")],
            sweep.numbers(options.threads, 1),
            sweep.numbers(options.workers, 1),
        )
    except ValueError as error:
        raise LabError(f"bad range: {error}") from None
    traffic = sweep.traffic(wanted, options.rate, options.seconds)
    directory = new_directory(options.runs, f"sweep-{wanted.name}")
    found = _sweep(console, traffic, settings, options, directory)
    return _tell_advice(
        console, advise.from_sweep(found, options.wait / 1000, cores_here()), options, found
    )


def _sweep(
    console: Console,
    traffic: Scenario,
    settings: Sequence[sweep.Setting],
    options: argparse.Namespace,
    directory: Path,
) -> sweep.Sweep:
    """Measure until all is settled or Ctrl-C; what was measured so far is kept after each try."""
    stage = traffic.stages[-1]
    found = sweep.Sweep(
        options.scenario,
        stage.rate,
        dict(stage.mix),
        traffic.deadline,
        stage.seconds,
        f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %Z}",
        versions(),
        [],
    )
    began = time.monotonic()
    done = 0

    def told(setting: sweep.Setting, one: sweep.Measurement, number: int) -> None:
        nonlocal done
        done += 1
        wait = verdict.milliseconds(one.wait_p95)
        most = len(settings) * options.rounds
        left = (time.monotonic() - began) / done * (most - done)
        console.print(
            f"round {number + 1}  {setting}: {one.good_share:.1%} good of {stage.rate:g}/s, "
            f"p95 of the wait {wait}{f', invalid: {one.invalid}' if one.invalid else ''}"
            f"  (at most {left / 60:.0f} min left)",
            soft_wrap=True,
        )

    def is_settled(tried: sweep.Tried) -> bool:
        return advise.is_settled(tried, options.wait / 1000)

    rounds = (min(3, options.rounds), options.rounds)
    try:
        for tried in sweep.measure(
            traffic,
            settings,
            directory,
            rounds=rounds,
            seed=options.seed,
            is_settled=is_settled,
            told=told,
        ):
            found = replace(found, tried=tried)
            found.save(directory)
    except KeyboardInterrupt:
        found = replace(found, ended_early=INTERRUPTED)
        found.save(directory)
        console.print("Interrupted: what follows is from what was measured so far.")
    console.print(f"Measured: {directory / sweep.FILE}", soft_wrap=True)
    return found


def advise_again(console: Console, arguments: Sequence[str]) -> int:
    """Advise from a sweep that was made, or from a live system's metrics."""
    parser = argparse.ArgumentParser(prog="python -m loadtest advise")
    parser.add_argument("sweep", type=Path, nargs="?", help="the directory of a sweep")
    parser.add_argument("--prometheus", help="instead: a Prometheus that scrapes the application")
    parser.add_argument("--minutes", type=float, default=60, help="to look back (default: 60)")
    parser.add_argument("--cores", type=int, help="of the database server")
    _add_wait(parser)
    options = parser.parse_args(arguments)
    wait = options.wait / 1000
    if options.prometheus:
        found = advise.from_prometheus(options.prometheus, options.minutes, wait, options.cores)
        return _tell_advice(console, found, options, None)
    if options.sweep is None:
        raise LabError("Name the directory of a sweep, or --prometheus URL.")
    try:
        made = sweep.Sweep.load(options.sweep)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{options.sweep} holds no sweep that can be read: {error}") from error
    return _tell_advice(
        console, advise.from_sweep(made, wait, options.cores or cores_here()), options, made
    )


def _sweep_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest sweep",
        epilog="Ranges are written 2,4,8 or 2-6. The traffic is that of the scenario's main stage.",
    )
    parser.add_argument("scenario", help="one that `list` lists, or a .toml file")
    parser.add_argument("--rate", type=float, help="arrivals per second, instead of its own")
    parser.add_argument("--pool-size", default="2,4,6,8", help="default: 2,4,6,8")
    parser.add_argument("--max-overflow", default="0", help="default: 0")
    parser.add_argument("--pool-timeout", default="1", help="seconds, default: 1")
    parser.add_argument("--threads", default="32", help="of each worker, default: 32")
    parser.add_argument("--workers", default="2", help="default: 2")
    parser.add_argument("--seconds", type=float, default=10, help="of each try (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="of arrivals and order (default: 1)")
    parser.add_argument("--rounds", type=int, default=5, help="at most, default: 5; at least 3")
    parser.add_argument(
        "--runs", type=Path, default=default_runs(), help=f"default: {default_runs()}"
    )
    _add_wait(parser)
    return parser


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait", type=float, default=50, help="the most for 95 of 100 waits, ms (default: 50)"
    )
    parser.add_argument("--json", action="store_true", help="print the advice as JSON")


def _tell_advice(
    console: Console,
    found: advise.Advice,
    options: argparse.Namespace,
    made: sweep.Sweep | None,
) -> int:
    if options.json:
        sys.stdout.write(json.dumps(asdict(found), indent=1) + "\n")
    else:
        deadline = made.deadline if made else DEADLINE
        for line in advice_text.lines(found, deadline):
            console.print(line, soft_wrap=True)
    return EXIT_MISSED if found.problem else 0
