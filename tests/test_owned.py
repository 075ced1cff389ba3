"""Temporary directories with an owner."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app import owned

PREFIX = "owned-"
MAKE_ONE_AND_DIE = """
import os, signal, sys, tempfile
from app import owned
tempfile.tempdir = sys.argv[1]
owned.make_directory("owned-")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_goes_and_nothing_else(temporary: Path) -> None:
    kept = owned.make_directory(PREFIX)
    (temporary / "other").mkdir()
    (temporary / f"{PREFIX}link").symlink_to(temporary / "other")
    killed = subprocess.run([sys.executable, "-c", MAKE_ONE_AND_DIE, temporary], check=False)
    assert killed.returncode < 0
    assert len(list(temporary.iterdir())) == 4
    owned.remove_ownerless(PREFIX)
    assert set(temporary.iterdir()) == {kept, temporary / "other", temporary / f"{PREFIX}link"}


def test_a_new_one_is_not_taken_for_one_without_an_owner(temporary: Path) -> None:
    made: list[Path] = []

    def make() -> None:
        made.extend(owned.make_directory(PREFIX) for _ in range(100))

    with ThreadPoolExecutor(1) as thread:
        making = thread.submit(make)
        while not making.done():
            owned.remove_ownerless(PREFIX)
    making.result()
    assert all(directory.exists() for directory in made)
