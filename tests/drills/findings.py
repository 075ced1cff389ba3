"""Every scenario that needs no containers, and a spike with other settings, for docs/findings.md.

    make findings

Each is run once on a private database and application. The figures of the last three times are
kept, of a scenario that has changed those since: the page shows their median, and their range where
they differ. A further run may lie beyond the range of two or more by half; which of its figures do
not is recorded. Pictures are the last time's.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
BEYOND = 1.5  # how far beyond the range of the runs before it a figure may lie, as a factor
FIGURES = {"good per second": 1, "p50": 1000, "p95": 1000, "longest": 1000}  # as the page has them
Found = dict[str, dict[str, dict[str, Any]]]  # scenarios and spikes, by name, their figures
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
    found = {"scenarios": now, "spikes": spikes}
    before = latest("findings")
    kept = [_comparable(run, found) for run in before["findings"]["runs"]] if before else []
    compared = list(_compared(kept, found))
    unseen = [name for name, one in now.items() if one["unseen"]]
    findings = {
        "minutes": round((time.monotonic() - began) / 60, 1),
        "marks that were not seen": unseen,
        "compared": len(compared),
        "outside": [said for said, inside in compared if not inside],
        "runs": [*kept[-KEPT + 1 :], found],
    }
    record("findings", not unseen, next(iter(now.values()))["server"], findings)


def _comparable(run: Found, now: Found) -> Found:
    """What an earlier run found in scenarios that are still the same."""
    return {
        part: {
            name: one
            for name, one in figures.items()
            if name in now[part] and one["definition"] == now[part][name]["definition"]
        }
        for part, figures in run.items()
    }


def _compared(kept: list[Found], now: Found) -> Iterator[tuple[str, bool]]:
    """Each figure of this run, and whether it lies within what the runs before it stated."""
    for part, figures in now.items():
        for name, one in figures.items():
            runs = [run[part][name] for run in kept if name in run[part]]
            for figure, factor in FIGURES.items() if len(runs) > 1 else ():
                stated = [run[figure] * factor for run in runs]
                least, most = min(stated), max(stated)
                value = one[figure] * factor
                said = f"{name}, {figure}: {value:,.0f} where {least:,.0f} to {most:,.0f} was"
                yield said, round(least / BEYOND) <= round(value) <= round(most * BEYOND)


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
        "definition": _definition(name),
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


def _definition(name: str) -> str:
    """What tells one version of a scenario from another."""
    content = (scenario.DIRECTORY / f"{name}.toml").read_bytes()
    return hashlib.sha256(content).hexdigest()[:12]


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
