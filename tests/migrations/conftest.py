"""Schemas to migrate: on the shared server, or on MySQL when TEST_DATABASE names its image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from app.settings import Settings
from loadtest.lab.database import PrivateDatabase
from tests.migrations.migrated import Migrated
from tests.mysql import MySqlContainer

_numbers = count(1)

Make = Callable[..., Migrated]


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[PrivateDatabase | MySqlContainer]:
    """The server: the private one, or a container of the image that TEST_DATABASE names."""
    if image := os.environ.get("TEST_DATABASE"):
        with MySqlContainer.running(image) as container:
            yield container
    else:
        with PrivateDatabase.running() as private:
            yield private


@pytest.fixture
def migrated(
    server: PrivateDatabase | MySqlContainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Make]:
    """Make a schema of a test's own at a revision."""
    for name, value in server.environment("admin").items():
        monkeypatch.setenv(name, value)
    key = tmp_path / "key"
    key.write_text("a key for tests")
    monkeypatch.setenv("CLINIC_SECRET_KEY_FILE", str(key))
    made: list[Migrated] = []

    def make(revision: str | None = None, patients: int = 0) -> Migrated:
        name = f"migrated_{os.getpid()}_{next(_numbers)}"
        one = Migrated(
            Settings().model_copy(update={"db_name": name, "log_level": "WARNING"}), tmp_path
        )
        made.append(one)
        if revision:
            one.upgrade(revision)
        if patients:
            one.seed(patients)
        return one

    yield make
    for one in made:
        one.close()
