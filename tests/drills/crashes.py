"""Every revision, up and down, killed at every boundary between two statements, on MySQL.

The schema after a second run must be the one of an undisturbed run.
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

from app.settings import Settings
from tests.drills import record
from tests.migrations.crashes import BASE, matrix
from tests.migrations.migrated import ROOT, Migrated
from tests.mysql import MySqlContainer

IMAGE = "mysql:9.7"
ALL = range(1, 10_000)
PATIENTS = 20


def main() -> None:
    """Kill, run again, compare, and record."""
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    revisions = [BASE, *(one.revision for one in reversed(list(scripts.walk_revisions())))]
    findings: dict[str, Any] = {}
    with MySqlContainer.running(IMAGE) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment("admin").items():
            patch.setenv(name, value)
        for before, revision in pairwise(revisions):
            for direction in ("upgrade", "downgrade"):
                found = _one(revision, before, direction)
                findings[f"{direction} {revision}"] = found
                print(f"{direction} {revision}: {found}", flush=True)  # noqa: T201
        version = server.connect("admin").get_server_info()
    passed = all(not one["wrong"] and one["boundaries"] for one in findings.values())
    record("crashes", passed, f"MySQL {version}", findings)


def _one(revision: str, before: str, direction: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings().model_copy(update={"db_name": "crashed", "log_level": "ERROR"})
        schema = Migrated(settings, Path(directory))
        try:
            if before != BASE:
                schema.upgrade(before)
            if before >= "0003" and before != BASE:
                schema.seed(PATIENTS)
            return matrix(schema, revision, before, ALL, direction)
        finally:
            schema.close()


if __name__ == "__main__":
    main()
