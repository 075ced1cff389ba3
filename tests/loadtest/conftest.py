"""Runs of Locust in a process of its own: imported here, it would patch every other test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from loadtest.lab.application import ROOT
from loadtest.lab.ports import free_port

Result = subprocess.CompletedProcess[str]


class Written(Protocol):
    """Writes a scenario's text to a file, and returns its path."""

    def __call__(self, text: str = ...) -> str: ...


SCENARIO = """
title = "A test"
arrivals = "constant"

[[stage]]
name = "only"
seconds = 1
rate = 60
mix = {"GET /lab/hold" = 1}
"""
"""60 requests in a second, evenly."""


@pytest.fixture
def loadtest() -> Callable[..., Result]:
    """``python -m loadtest`` with these arguments, to its end."""

    def run(*arguments: str, **environment: str) -> Result:
        return subprocess.run(
            _command(arguments),
            cwd=ROOT,
            env=loadtest_environment(**environment),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A file for the text of a scenario."""

    def write(text: str = SCENARIO) -> str:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return str(path)

    return write


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """``python -m loadtest`` beside the test; it is killed if it has not ended by then."""
    with subprocess.Popen(
        _command(arguments),
        cwd=ROOT,
        env=loadtest_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def loadtest_environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return {**clean, "LOADTEST_METRICS_BIND": f"127.0.0.1:{free_port()}", **more}


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "loadtest", *arguments]
