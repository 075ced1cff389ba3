"""What takes longer than a test may: run by ``make drills``, results in ``docs/results/``."""

from __future__ import annotations

import json
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "docs" / "results"
PACKAGES = ("Flask", "SQLAlchemy", "PyMySQL", "gunicorn", "locust")


def latest(drill: str) -> Any:
    """What a drill recorded last; None where it was never run."""
    path = max(RESULTS.glob(f"*-{drill}.json"), default=None)
    return json.loads(path.read_text()) if path else None


def record(drill: str, passed: bool, server: str, findings: dict[str, Any]) -> None:
    """Write what a drill found, with date and versions; end with its verdict.

    Raises:
        SystemExit: always: 0 when the drill passed, 1 when it did not.
    """
    now = datetime.now(UTC)
    result = {
        "drill": drill,
        "date": now.isoformat(timespec="seconds"),
        "passed": passed,
        "findings": findings,
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version(), "server": server},
    }
    text = json.dumps(result, indent=2)
    path = RESULTS / f"{now:%Y-%m-%d}-{drill}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + "\n")
    print(text, f"\nWritten to {path.relative_to(RESULTS.parents[1])}")  # noqa: T201
    sys.exit(0 if passed else 1)
