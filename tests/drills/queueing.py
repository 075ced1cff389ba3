"""Are the measured waits those of queueing theory? Exponential and fixed holds, ten minutes each.

Four connections of one worker, Poisson arrivals, three quarters of what they carry. The mean wait
is compared with Erlang-C, and with half of it (Allen-Cunneen) for fixed holds; the mean number of
connections taken with Little's law.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtest.lab.application import ROOT
from loadtest.lab.run import Run
from loadtest.lab.theory import comparisons
from tests.drills import record

SCENARIOS = Path(__file__).parent / "scenarios"
KINDS = ("exponential-holds", "fixed-holds")
WAIT_WITHIN = 0.25
LITTLE_WITHIN = 0.05


def main() -> None:
    """Run both, compare, and record."""
    findings, passed, server = {}, True, ""
    for kind in KINDS:
        run = _run(kind)
        findings[kind] = [_finding(one) for one in comparisons(run)]
        little, wait = comparisons(run)
        passed &= abs(little.error) <= LITTLE_WITHIN and abs(wait.error) <= WAIT_WITHIN
        passed &= not run.invalid and not run.ended_early
        server = run.versions["database"]
    record("queueing", passed, server, findings)


def _run(kind: str) -> Run:
    with tempfile.TemporaryDirectory() as runs:
        scenario = str(SCENARIOS / f"{kind}.toml")
        command = [sys.executable, "-m", "loadtest", "run", scenario, "--runs", runs]
        subprocess.run(command, cwd=ROOT, check=True)
        (directory,) = Path(runs).iterdir()
        report = (directory / "report.html").read_text()
        assert "Erlang-C" in report, "the report shows what was compared"
        assert "Little" in report
        return Run.load(directory)


def _finding(one: Any) -> dict[str, Any]:
    rounded = {name: round(one, 3) for name, one in asdict(one).items() if isinstance(one, float)}
    return {**asdict(one), **rounded, "error": round(one.error, 3)}


if __name__ == "__main__":
    main()
