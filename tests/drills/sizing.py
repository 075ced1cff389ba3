"""Does a sweep lead to a recommendation that holds? The same workload swept twice, then followed.

The workload: 150 requests a second, nine of 13 of which hold a connection for 50 ms, and at most
50 ms of waiting for 95 of 100.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from loadtest.lab.application import ROOT
from loadtest.lab.run import Run
from loadtest.lab.sweep import measurement
from tests.drills import record

WAIT = 0.05  # seconds
LONGEST = 20 * 60.0  # seconds
WORKLOAD = """\
title = "Mostly short holds, at a rate that does not change"
focus = "measured"
[settings]
CLINIC_LAB_ENABLED = true
[[stage]]
name = "warm-up"
seconds = 5
rate = 150
mix = {"GET /lab/hold?seconds=0.05" = 9, search = 3, book = 1}
[[stage]]
name = "measured"
seconds = 60
rate = 150
mix = {"GET /lab/hold?seconds=0.05" = 9, search = 3, book = 1}
[slo]
max_fail_ratio = 0.01
p95_ms = 1000
"""


def main() -> None:
    """Sweep twice, follow the first recommendation, and record."""
    with tempfile.TemporaryDirectory() as directory:
        runs = Path(directory)
        workload = runs / "workload.toml"
        workload.write_text(WORKLOAD)
        sweeps = [_sweep(workload, runs, seed) for seed in (1, 101)]
        advice = [one["advice"] for one in sweeps]
        fresh = _follow(workload, runs, advice[0]["setting"])
    measured = measurement(fresh)
    checks = {
        "each within 20 minutes": all(one["seconds"] <= LONGEST for one in sweeps),
        "the same or overlapping": _agree(*advice),
        "a fresh run meets the SLO": not fresh.missed and not fresh.invalid,
        "a fresh run keeps the wait": (measured.wait_p95 or 0.0) <= WAIT,
    }
    findings = {
        "checks": checks,
        "seconds": [round(one["seconds"]) for one in sweeps],
        "recommended": [one["setting"] for one in advice],
        "predictions": [_predicted(one) for one in advice],
        "fresh run": {"p95 of the wait": measured.wait_p95, "slo": fresh.slo},
    }
    record("sizing", all(checks.values()), fresh.versions["database"], findings)


def _sweep(workload: Path, runs: Path, seed: int) -> dict[str, Any]:
    began = time.monotonic()
    command = [sys.executable, "-m", "loadtest", "sweep", str(workload), "--pool-size", "2-8",
               "--wait", f"{WAIT * 1000:g}", "--json", "--runs", str(runs),
               "--seed", str(seed)]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return {"seconds": time.monotonic() - began, "advice": json.loads(done.stdout)}


def _follow(workload: Path, runs: Path, setting: dict[str, Any]) -> Run:
    names = {"pool_size": "POOL_SIZE", "max_overflow": "POOL_MAX_OVERFLOW", "threads": "THREADS",
             "pool_timeout": "POOL_TIMEOUT", "workers": "WORKERS"}  # fmt: skip
    given = [f"--set=CLINIC_{name}={setting[key]:g}" for key, name in names.items()]
    where = runs / "fresh"
    command = [sys.executable, "-m", "loadtest", "run", str(workload), "--runs", str(where)]
    subprocess.run([*command, "--seed", "7", *given], cwd=ROOT, check=False)
    (directory,) = where.iterdir()
    return Run.load(directory)


def _agree(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """The same size; or neither sweep can tell the two recommended sizes' waits apart."""
    if first["setting"] == second["setting"]:
        return True
    for one, other in ((first, second), (second, first)):
        rows = {row["setting"]["pool_size"]: row["wait_p95"] for row in one["rows"]}
        mine, theirs = (rows[found["setting"]["pool_size"]] for found in (one, other))
        if not (mine["low"] <= theirs["high"] and theirs["low"] <= mine["high"]):
            return False
    return True


def _predicted(advice: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one["connections"] or one["problem"] for one in advice["predictions"]}


if __name__ == "__main__":
    main()
