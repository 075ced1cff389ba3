"""Every scenario that needs no containers, and a spike with other settings, for docs/findings.md.

    make findings

Each is run once on a private database and application. The figures of the last three times are
kept: the page shows their median, and their range where they differ. Pictures are the last time's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from loadtest import scenario
from loadtest.lab import picture, verdict
from loadtest.lab.facts import facts
from loadtest.lab.run import Run
from tests.drills import RESULTS, latest, record

ROOT = RESULTS.parents[1]
PICTURES = RESULTS.parent / "images" / "findings"
KEPT = 3
SPIKES = {
    "2 + 0": {"CLINIC_POOL_SIZE": "2", "CLINIC_POOL_MAX_OVERFLOW": "0"},
    "4 + 2, the default": {},
    "8 + 0": {"CLINIC_POOL_SIZE": "8", "CLINIC_POOL_MAX_OVERFLOW": "0"},
    "16 + 16, as many as threads": {"CLINIC_POOL_SIZE": "16", "CLINIC_POOL_MAX_OVERFLOW": "16"},
    "4 + 2, pool_timeout 0.1 s": {"CLINIC_POOL_TIMEOUT": "0.1"},
    "4 + 2, pool_timeout 5 s": {"CLINIC_POOL_TIMEOUT": "5"},
    "4 + 2, 6 threads": {"CLINIC_THREADS": "6"},
}


def main() -> None:
    """Run, picture, and record beside what was found before."""
    began = time.monotonic()
    PICTURES.mkdir(parents=True, exist_ok=True)
    now = {name: _figures(name) for name in _scenarios()}
    spikes = {name: _figures("spike", changed) for name, changed in SPIKES.items() if changed}
    spikes = {name: spikes.get(name, now["spike"]) for name in SPIKES}
    before = latest("findings")
    kept = before["findings"]["runs"][-KEPT + 1 :] if before else []
    found = {"scenarios": now, "spikes": spikes}
    unseen = [name for name, one in now.items() if one["unseen"]]
    findings = {
        "minutes": round((time.monotonic() - began) / 60, 1),
        "marks that were not seen": unseen,
        "runs": [*kept, found],
    }
    record("findings", not unseen, next(iter(now.values()))["server"], findings)


def _scenarios() -> list[str]:
    """Those that run without containers."""
    needs = {name: scenario.load(name).needs for name in scenario.names()}
    return [name for name, targets in needs.items() if not targets or "embedded" in targets]


def _figures(name: str, changed: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a scenario, and return what it found; times in seconds."""
    print(f"{name} {changed or ''}", flush=True)  # noqa: T201
    run = _run(name, changed or {})
    if not changed:
        (PICTURES / f"{name}.svg").write_text(picture.render(run))
    found = facts(run)
    focus = next(one for one in run.results if one.name == run.focus)
    whole = verdict.whole(run.results)
    closed = verdict.whole(run.closed)
    return {
        "requests": whole.requests if whole else 0,
        "failed share": round(focus.failed_share, 4),
        "good per second": round(focus.goodput, 1),
        "p50": focus.p50,
        "p95": focus.p95,
        "longest": focus.longest,
        "closed p95": closed.p95 if closed else None,
        "closed longest": closed.longest if closed else None,
        "in use": found.most_in_use,
        "limit": found.limit,
        "overflow": found.most_overflow,
        "waiting": found.most_waiting,
        "longest wait": round(found.longest_wait, 3),
        "timeouts": found.timeouts,
        "recovered after": found.recovered_after,
        "seen": {mark.says: mark.after for mark in run.marks if mark.seen},
        "unseen": [] if changed else [mark.says for mark in run.marks if not mark.seen],
        "invalid": run.invalid,
        "server": run.versions["database"],
    }


def _run(name: str, changed: dict[str, str]) -> Run:
    options = [word for key, value in changed.items() for word in ("--set", f"{key}={value}")]
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "loadtest", "run", name, "--target", "embedded"]
        done = subprocess.run(
            [*command, "--runs", runs, *options],
            cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        directories = list(Path(runs).iterdir())
        assert directories, done.stdout + done.stderr
        return Run.load(directories[0])


if __name__ == "__main__":
    main()
