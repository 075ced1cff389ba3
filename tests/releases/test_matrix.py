"""Each release on the other's schema: the whole of its API tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.releases import PREVIOUS, PREVIOUS_SCHEMA, unpack

ROOT = Path(__file__).parents[2]
PLUGIN = Path(__file__).parent
EXPANDED = "0004"


def api_tests(release: Path, schema: str) -> None:
    """Run the API tests of the release in a directory on a schema that this release makes."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "schema_plugin", "-c", os.devnull,
         f"--rootdir={release}", "--import-mode=importlib", "-p", "no:cacheprovider",
         "-W", "error", "-o", "pytest_alembic_enabled=", "tests/api"],
        cwd=release,
        env={
            **os.environ,
            "PYTHONPATH": f"{release}{os.pathsep}{PLUGIN}",
            "SCHEMA_REVISION": schema,
            "RELEASE": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert " passed" in run.stdout or "100%" in run.stdout, run.stdout


def test_the_release_before_on_the_expanded_schema(tmp_path: Path) -> None:
    release = unpack(PREVIOUS, tmp_path)
    (release / "loadtest").symlink_to(ROOT / "loadtest")  # which has the private database
    api_tests(release, EXPANDED)


def test_this_release_on_the_schema_of_before() -> None:
    api_tests(ROOT, PREVIOUS_SCHEMA)
