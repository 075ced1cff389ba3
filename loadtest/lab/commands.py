"""``python -m loadtest`` with a command that needs the lab."""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from loadtest import scenario
from loadtest.exits import EXIT_ABORTED, EXIT_INTERRUPTED, EXIT_INVALID, EXIT_MISSED, EXIT_USAGE
from loadtest.lab import compare, faults, fingerprint, junit, report, sizing, verdict
from loadtest.lab.compose import Compose
from loadtest.lab.errors import LabError
from loadtest.lab.run import Run, default_runs, new_directory
from loadtest.lab.runner import INTERRUPTED, Runner
from loadtest.lab.targets import Embedded, Remote, Target
from loadtest.scenario import Scenario


def main(command: str, arguments: Sequence[str]) -> int:
    """Do what the command line says; every failure is a message, never a traceback."""
    # With --json standard output is the document's.
    console = Console(highlight=False, markup=False, stderr="--json" in arguments)
    # Ctrl-C also when a parent (make, a script in the background) had switched it off.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return COMMANDS[command](console, arguments)
    except (LabError, scenario.ScenarioError) as error:
        console.print(Text(str(error), style="red"), soft_wrap=True)
        return EXIT_USAGE
    except OSError as error:
        console.print(Text(f"{error}. What was written so far is kept.", style="red"))
        return EXIT_USAGE
    except KeyboardInterrupt:
        console.print("Interrupted. Everything was stopped, and what was changed is as before.")
        return EXIT_INTERRUPTED


def run(console: Console, arguments: Sequence[str]) -> int:
    """Run a scenario; return the exit code of its verdict."""
    options = _run_parser().parse_args(arguments)
    wanted = scenario.load(options.scenario)
    fingerprint.check(wanted.marks)
    if wanted.fault.kind:
        faults.check(wanted.fault)
    target = _target(options, wanted)
    directory = new_directory(options.runs, wanted.name)
    if not options.json:
        console.print(f"Preparing the target: {target.name}", style="dim")
    try:
        with target:
            found = Runner(
                console, target, wanted, directory, seed=options.seed, calm=options.calm
            ).run()
    except LabError:
        with suppress(OSError):  # what did begin has left a log there
            directory.rmdir()
        raise
    directory, path = _keep(console, found, directory)
    if options.junit:
        options.junit.write_text(junit.document(found), encoding="utf-8")
    if options.json:
        sys.stdout.write((directory / "run.json").read_text() + "\n")
    else:
        _tell(console, found, path)
    return exit_code(found)


def report_again(console: Console, arguments: Sequence[str]) -> int:
    """Make the report of a recorded run again."""
    parser = argparse.ArgumentParser(prog="python -m loadtest report")
    parser.add_argument("directory", type=Path, help="a directory under runs/")
    directory = parser.parse_args(arguments).directory
    try:
        found = Run.load(directory)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{directory} holds no recorded run that can be read: {error}") from error
    console.print(f"Report: {_report(found, directory)}", soft_wrap=True)
    return 0


def compare_runs(console: Console, arguments: Sequence[str]) -> int:
    """Say what differs between two runs, and whether that is more than noise."""
    parser = argparse.ArgumentParser(prog="python -m loadtest compare")
    parser.add_argument("first", type=Path, help="a run's directory")
    parser.add_argument("second", type=Path, help="another one of the same scenario")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    options = parser.parse_args(arguments)
    found = compare.compare(options.first, options.second)
    if options.json:
        sys.stdout.write(json.dumps(asdict(found), indent=1) + "\n")
        return 0
    for name, before, after in found.settings:
        console.print(f"{name}: {before or 'not set'}, then {after or 'not set'}", soft_wrap=True)
    for one in found.differences:
        line = Text(compare.sentence(one), style="dim" if one.is_noise else "bold")
        console.print(line, soft_wrap=True)
    return 0


def exit_code(found: Run) -> int:
    """Return what the process says about a run; the worst first."""
    if found.ended_early == INTERRUPTED:
        return EXIT_INTERRUPTED
    if found.ended_early:
        return EXIT_ABORTED
    if found.invalid:
        return EXIT_INVALID
    unseen = any(not mark.seen for mark in found.marks) or bool(verdict.silent_alerts(found))
    return EXIT_MISSED if found.missed or unseen or found.broken else 0


def _keep(console: Console, found: Run, directory: Path) -> tuple[Path, Path]:
    """Save a run and its report: elsewhere where its directory cannot be written any more."""
    try:
        found.save(directory)
    except OSError as error:
        other = Path(tempfile.mkdtemp(prefix="poolsight-run-"))
        found.save(other)
        console.print(f"{directory}: {error}. The run is kept in {other}.", soft_wrap=True)
        directory = other
    return directory, _report(found, directory)


def _report(found: Run, directory: Path) -> Path:
    try:
        return report.write(found, directory)
    except ValueError as error:
        raise LabError(f"{directory}: there is nothing to report: {error}.") from None


def _run_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest run",
        epilog="Exit codes: 0 good; 1 the SLO was missed or the fingerprint not seen; 2 it could "
        "not be run; 4 ended early; 5 invalid, the generator was too slow; 130 interrupted.",
    )
    parser.add_argument("scenario", help="one that `list` lists, or a .toml file")
    where = os.environ.get("LOCUST_HOST") or "embedded"
    parser.add_argument(
        "--target",
        default=where,
        help="embedded: a private database and application; compose: the running stack; or the "
        f"URL of a clinic (default: {where})",
    )
    parser.add_argument("--metrics", help="with a URL: the application's own metrics")
    parser.add_argument(
        "--prometheus",
        default=os.environ.get("LOADTEST_PROMETHEUS"),
        help="with a URL: a Prometheus that scrapes it",
    )
    parser.add_argument("--seed", type=int, default=1, help="the same one sends the same arrivals")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the application, such as CLINIC_POOL_SIZE=8; may be repeated",
    )
    parser.add_argument("--calm", action="store_true", help="leave out what goes wrong")
    parser.add_argument("--json", action="store_true", help="print the run as JSON")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit XML file")
    parser.add_argument(
        "--runs", type=Path, default=default_runs(), help=f"default: {default_runs()}"
    )
    return parser


def _target(options: argparse.Namespace, wanted: Scenario) -> Target:
    kind = options.target if options.target in ("embedded", "compose") else "url"
    if wanted.needs and kind not in wanted.needs:
        raise LabError(
            f"{wanted.name} needs the target {' or '.join(wanted.needs)}, not {options.target}."
        )
    settings = dict(wanted.settings) | ({} if options.calm else dict(wanted.fault.settings))
    settings |= _given(options.set)
    if kind == "embedded":
        return Embedded(settings)
    if kind == "compose":
        return Compose(settings, proxied=wanted.fault.kind == "toxic")
    if not options.target.startswith(("http://", "https://")):
        raise LabError(f"--target {options.target}: expected embedded, compose or an http URL.")
    if options.set:
        raise LabError("--set: the settings of a target by its URL cannot be changed from here.")
    return Remote(options.target, options.metrics, options.prometheus, wanted.paths)


def _given(pairs: Sequence[str]) -> dict[str, str]:
    found = dict(pair.partition("=")[::2] for pair in pairs)
    for name, value in found.items():
        if not name.startswith("CLINIC_") or not value:
            raise LabError(f"--set {name}={value}: expected a setting such as CLINIC_POOL_SIZE=8")
    return found


def _tell(console: Console, found: Run, path: Path) -> None:
    console.print()
    console.print(Text(verdict.headline(found), style="bold"), soft_wrap=True)
    for sentence in verdict.explanation(found):
        console.print(Text(sentence), soft_wrap=True)
    for mark in found.marks:
        console.print(
            Text(verdict.mark_line(mark), style="green" if mark.seen else "red"), soft_wrap=True
        )
    console.print(f"Report: {path}", soft_wrap=True)


COMMANDS: dict[str, Callable[[Console, Sequence[str]], int]] = {
    "run": run,
    "report": report_again,
    "compare": compare_runs,
    "sweep": sizing.sweep_settings,
    "advise": sizing.advise_again,
}
