"""Runs of Locust in a process of its own: imported here, it would patch every other test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from loadtest.lab.application import ROOT
from loadtest.lab.ports import free_port

Result = subprocess.CompletedProcess[str]


@pytest.fixture
def loadtest() -> Callable[..., Result]:
    """``python -m loadtest`` with these arguments, to its end."""

    def run(*arguments: str, **environment: str) -> Result:
        return subprocess.run(
            [sys.executable, "-m", "loadtest", *arguments],
            cwd=ROOT,
            env=loadtest_environment(**environment),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def loadtest_environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return {**clean, "LOADTEST_METRICS_BIND": f"127.0.0.1:{free_port()}", **more}
