"""What cannot work ends at start, in one clear message and a non-zero exit."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.lab.database import PrivateDatabase
from loadtest.lab.ports import free_port
from tests.conftest import ROOT, flask


@pytest.fixture
def environment(database: PrivateDatabase, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "key").write_text("a key for tests")
    return {
        **database.environment("app"),
        "CLINIC_SECRET_KEY_FILE": str(tmp_path / "key"),
        "CLINIC_BIND": f"127.0.0.1:{free_port()}",
        "CLINIC_METRICS_BIND": f"127.0.0.1:{free_port()}",
    }


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def refusal(environment: dict[str, str]) -> str:
    """The message of a gunicorn that refuses to start within 30 s."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLINIC_")}
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "python:app.server", "app:create_app()"],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


def test_every_bad_setting_is_named_at_once(environment: dict[str, str]) -> None:
    del environment["CLINIC_SECRET_KEY_FILE"]
    message = refusal(
        environment
        | {
            "CLINIC_POOL_SIZE": "many",
            "CLINIC_BIND": "here",
            "CLINIC_DB_PASSWORD_FILE": "/none",
            "CLINIC_DB_HOST": "db.example",
        }
    )
    headline, *problems = message.splitlines()
    assert headline == "Settings are invalid (5), see docs/settings.md:"
    assert [problem.split(";")[0].strip() for problem in problems] == [
        "CLINIC_DB_PASSWORD_FILE: got '/none'",
        "CLINIC_DB_CA_FILE: not set",
        "CLINIC_SECRET_KEY_FILE: not set",
        "CLINIC_POOL_SIZE: got 'many'",
        "CLINIC_BIND: got 'here'",
    ]
    assert "cannot read /none: No such file" in message
    assert "'db.example' is not a loopback host, so name the certificate authority" in message
    assert "expected: whole number, at least 1, at most 1000" in message
    assert "should be HOST:PORT" in message


def test_certificate_that_is_none(environment: dict[str, str], tmp_path: Path) -> None:
    message = refusal(environment | {"CLINIC_DB_CA_FILE": str(tmp_path / "key")})
    assert "holds no certificate in PEM form" in message


def test_wrong_password(environment: dict[str, str], tmp_path: Path) -> None:
    message = refusal(environment | {"CLINIC_DB_PASSWORD_FILE": str(tmp_path / "key")})
    assert "Access denied for user 'app'" in message
    assert f"the password in {tmp_path / 'key'}" in message


def test_database_down(environment: dict[str, str]) -> None:
    message = refusal(environment | {"CLINIC_DB_PORT": str(free_port())})
    assert "Can't connect to MySQL server" in message
    assert "Check that the server runs" in message


@pytest.mark.parametrize("setting", ["CLINIC_BIND", "CLINIC_METRICS_BIND"])
def test_port_taken(environment: dict[str, str], taken: str, setting: str) -> None:
    message = refusal(environment | {setting: taken})
    assert f"Cannot listen on {taken}: Address already in use" in message
    assert f"or set {setting} to another" in message


@pytest.mark.parametrize("command", [("db", "upgrade"), ("seed",)])
def test_commands_with_the_database_down(
    database: PrivateDatabase, command: tuple[str, ...]
) -> None:
    done = flask(database, *command, check=False, CLINIC_DB_PORT=str(free_port()))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "Can't connect to MySQL server" in done.stderr
