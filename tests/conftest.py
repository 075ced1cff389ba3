"""One private database server for the whole run, migrated and seeded once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.settings import Settings
from loadtest.lab.database import PrivateDatabase

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def database() -> Iterator[PrivateDatabase]:
    """A server with an up-to-date schema and 200 patients' sample data."""
    with PrivateDatabase.running() as server:
        flask(server, "db", "upgrade")
        flask(server, "seed", "--patients", "200")
        yield server


@pytest.fixture(scope="session")
def settings(
    database: PrivateDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """The settings of an application on the private server."""
    key = tmp_path_factory.mktemp("secrets") / "key"
    key.write_text("a key for tests")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CLINIC_")]:
            patch.delenv(name)
        for name, value in database.environment("app").items():
            patch.setenv(name, value)
        patch.setenv("CLINIC_SECRET_KEY_FILE", str(key))
        patch.setenv("CLINIC_LAB_ENABLED", "true")
        yield Settings()


@pytest.fixture(scope="session")
def app(settings: Settings) -> Flask:
    """The application, in this process."""
    return create_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the application."""
    return app.test_client()


def flask(
    server: PrivateDatabase,
    *command: str,
    check: bool = True,
    timeout: float = 60,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run a flask command as the migrator, as its users do."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", *command],
        cwd=ROOT,
        env={**os.environ, **server.environment("migrator"), **environment},
        capture_output=True,
        text=True,
        check=check,
        timeout=timeout,
    )
