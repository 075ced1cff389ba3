"""What it costs to borrow and return a connection: bare, ours, naive and OpenTelemetry's.

``python -m benchmarks.pool_overhead``. A cycle is ``engine.raw_connection().close()`` on a SQLite
file, so nothing but the pool itself takes time; on a network, each is a small part of a query.
All variants take turns, in random order in each round; a ratio is that of two neighbours in one
round, so that a machine whose speed changes changes both.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import IO, Final

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.pool.slots import DIRECTORY_VARIABLE
from benchmarks.cycles import THREADS
from benchmarks.pools import BARE, NAIVE, OPENTELEMETRY, OURS, missing_packages
from benchmarks.spread import Spread, percentiles

LIMIT = 1.5  # times a bare pool
ROUNDS = 50
COMPARED: Final = (OURS, NAIVE, OPENTELEMETRY)
MODES: Final = ("single", "multi")
CASES: Final = tuple(f"{mode}-{threads}" for mode in MODES for threads in (1, THREADS))


@dataclass(frozen=True)
class Cost:
    """What one variant costs in one case.

    Attributes:
        ratio: to a bare pool, with its 10th and 90th percentile over the rounds.
        added: microseconds in each cycle.
    """

    ratio: Spread
    added: float


Costs = Mapping[str, Mapping[str, Cost]]
"""By variant and case."""


class Cycler:
    """A process that runs cycles of one variant; see :mod:`benchmarks.cycles`."""

    def __init__(self, variant: str, mode: str, directory: Path) -> None:
        self.variant, self.mode = variant, mode
        own = directory / f"{variant}-{mode}"
        own.mkdir()
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "benchmarks.cycles", variant, str(own / "database")],
            env=_environment(mode, own),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, threads: int) -> float:
        """How long a cycle takes now, in each of *threads* threads at once."""
        print(threads, file=self._pipe(self._process.stdin), flush=True)
        return float(self._pipe(self._process.stdout).readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None  # noqa: S101 - it was asked for
        return pipe


def _environment(mode: str, directory: Path) -> dict[str, str]:
    others = (DIRECTORY_VARIABLE, "PROMETHEUS_MULTIPROC_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in others}
    return environment | (dict.fromkeys(others, str(directory)) if mode == "multi" else {})


def measure(rounds: int = ROUNDS) -> Costs:
    """Let all variants take turns, and compare each with the bare pool of the same round.

    Raises:
        SystemExit: a package is missing.
    """
    if missing := missing_packages():
        sys.exit(f"{', '.join(missing)} is not installed. Run: make .venv/.benchmarks")
    seconds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with _cyclers() as cyclers:
        for _ in track(range(rounds + 1), "Measuring", console=Console(stderr=True)):
            for case, turns in _round(cyclers):
                for variant, value in turns.items():
                    seconds[case][variant].append(value)
    return {
        variant: {case: _cost(seconds[case], variant) for case in CASES} for variant in COMPARED
    }


@contextmanager
def _cyclers() -> Iterator[list[Cycler]]:
    with TemporaryDirectory(prefix="poolsight-overhead-") as directory, ExitStack() as stack:
        cyclers = [Cycler(v, m, Path(directory)) for v in (BARE, *COMPARED) for m in MODES]
        for cycler in cyclers:
            stack.callback(cycler.close)
        yield cyclers


def _round(cyclers: list[Cycler]) -> Iterator[tuple[str, dict[str, float]]]:
    """One batch of every variant in every case."""
    for case in random.sample(CASES, len(CASES)):
        mode, threads = case.split("-")
        turns = [cycler for cycler in cyclers if cycler.mode == mode]
        random.shuffle(turns)
        yield case, {cycler.variant: cycler.seconds(int(threads)) for cycler in turns}


def _cost(seconds: Mapping[str, list[float]], variant: str) -> Cost:
    # The first round warms up.
    pairs = list(zip(seconds[variant], seconds[BARE], strict=True))[1:]
    return Cost(
        ratio=percentiles([one / bare for one, bare in pairs]),
        added=median((one - bare) * 1e6 for one, bare in pairs),
    )


def ratios(costs: Costs) -> dict[str, dict[str, float]]:
    """The medians alone."""
    return {
        variant: {case: round(cost.ratio.median, 3) for case, cost in cases.items()}
        for variant, cases in costs.items()
    }


def within_limit(costs: Costs) -> bool:
    """Whether ours costs little enough in every case, and less than the others."""
    found = ratios(costs)
    others = [variant for variant in found if variant != OURS]
    return all(
        found[OURS][case] <= LIMIT
        and all(found[variant][case] > found[OURS][case] for variant in others)
        for case in CASES
    )


def table(costs: Costs) -> Table:
    """The costs for people."""
    title = "One checkout and checkin, as times a bare pool (p10-p90)"
    shown = Table("", *costs, title=title, box=box.SIMPLE)
    for case in CASES:
        cells = (f"{cost[case].ratio}\n{cost[case].added:+.1f} µs" for cost in costs.values())
        shown.add_row(case, *cells)
    return shown


def main() -> None:
    """Measure, print, and check where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the ratios as JSON")
    parser.add_argument("--check", action="store_true", help=f"fail above {LIMIT} times bare")
    arguments = parser.parse_args()
    costs = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps(ratios(costs)))
    else:
        Console().print(table(costs))
    if arguments.check and not within_limit(costs):
        sys.exit("The instrumentation costs too much, or no less than the others.")


if __name__ == "__main__":
    main()
