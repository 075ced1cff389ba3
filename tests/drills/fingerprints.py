"""Every scenario on real MySQL in containers: is its fingerprint seen, and only with its fault?

Each is run twice: as it is, when every mark must be seen and every alert fire, and calm, without
what goes wrong in it, when that must not be so. Scenarios that are named are run alone, and take
the place of what the latest record says of them; each says when it was run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtest import scenario
from loadtest.lab.run import Run
from loadtest.lab.verdict import silent_alerts
from tests.drills import latest, record
from tests.stack.stack import GRAFANA_IMAGE, ROOT, Stack, has_image
from tests.waiting import eventually

RESOLVED = 180.0  # seconds until what the scenario before has made fire is over
PROJECT = "poolsight-fingerprints"


def main(names: list[str]) -> None:
    """Bring up the stack, run every scenario (or those named) both ways, and record."""
    stack = Stack(PROJECT, has_image(GRAFANA_IMAGE))
    try:
        stack.build()
        stack.up()
        version = stack.sql("SELECT VERSION()")[0][0]
        findings = {name: _both(stack, name) for name in names or scenario.names()}
        findings = (latest("fingerprints")["findings"] if names else {}) | findings
    finally:
        stack.down()
    passed = all(one["passed"] for one in findings.values())
    record("fingerprints", passed, f"MySQL {version}", findings)


def _both(stack: Stack, name: str) -> dict[str, Any]:
    run, calm = _run(stack, name), _run(stack, name, "--calm")
    seen = all(mark.seen for mark in run.marks) and not silent_alerts(run)
    quiet = any(not mark.seen for mark in calm.marks)
    sound = not any((run.invalid, run.ended_early, calm.invalid, calm.ended_early))
    found = {
        "passed": seen and quiet and sound,
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "seen": {mark.says: mark.after if mark.seen else "not seen" for mark in run.marks},
        "fired": {alert.name: round(alert.after, 1) for alert in run.alerts or []},
        "silent": silent_alerts(run),
        "seen when calm": [mark.says for mark in calm.marks if mark.seen],
        "fired when calm": [alert.name for alert in calm.alerts or []],
        "problem": " ".join((run.invalid, run.ended_early, calm.invalid, calm.ended_early)).strip(),
    }
    print(name, found, flush=True)  # noqa: T201
    return found


def _run(stack: Stack, name: str, *options: str) -> Run:
    expected = "|".join(scenario.load(name).alerts) or "none"
    firing = f'count(ALERTS{{alertstate="firing", alertname=~"{expected}"}})'
    assert eventually(lambda: not stack.value(firing), within=RESOLVED), "of the scenario before"
    published = {port: str(number) for port, number in stack.ports.items()}
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "loadtest", "run", name, "--target", "compose"]
        environment = {**os.environ, **published, "COMPOSE_PROJECT_NAME": stack.project}
        subprocess.run([*command, "--runs", runs, *options], cwd=ROOT, env=environment, check=False)
        (directory,) = Path(runs).iterdir()
        return Run.load(directory)


if __name__ == "__main__":
    main(sys.argv[1:])
