"""What cannot work ends at start, in one clear message and a non-zero exit."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import pytest

from loadtest.lab.application import Application
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.ports import free_port
from tests.conftest import ROOT, flask
from tests.server.conftest import Scrape


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


def test_hosts_that_cannot_be_one(environment: dict[str, str]) -> None:
    bad = {
        "CLINIC_DB_HOST": "a..b",
        "CLINIC_BIND": ":8000",
        "CLINIC_METRICS_BIND": "::1:9200",
    }
    message = refusal(environment | bad)
    assert message.startswith("Settings are invalid (3)")
    assert "CLINIC_DB_HOST: got 'a..b'; should be a host name or an IP address" in message
    assert "CLINIC_BIND: got ':8000'; should be HOST:PORT" in message
    assert "CLINIC_METRICS_BIND: got '::1:9200'; should be HOST:PORT" in message


@pytest.mark.parametrize("setting", ["CLINIC_BIND", "CLINIC_METRICS_BIND"])
def test_name_of_no_machine_to_listen_on(environment: dict[str, str], setting: str) -> None:
    message = refusal(environment | {setting: "nowhere.invalid:8000"})
    assert "Cannot listen on nowhere.invalid:8000: " in message
    assert f". Set {setting} to another HOST:PORT" in message


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_listens_on_ipv6(database: PrivateDatabase) -> None:
    with Application.running(database, "[::1]") as application:
        assert urlsplit(application.url).hostname == "::1"
        assert Scrape(application).total("sqlalchemy_pool_size") > 0


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
    assert f"Stop what uses it, or set {setting} to another" in message


def test_database_on_a_host_that_nobody_knows(database: PrivateDatabase) -> None:
    done = flask(
        database,
        *("db", "upgrade"),
        check=False,
        CLINIC_DB_HOST="nowhere.invalid",
        CLINIC_DB_CA_FILE=certifi.where(),
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "Can't connect to MySQL server on 'nowhere.invalid'" in done.stderr
    assert "CLINIC_DB_HOST" in done.stderr


@pytest.mark.parametrize("command", [("db", "upgrade"), ("seed",)])
def test_commands_with_the_database_down(
    database: PrivateDatabase, command: tuple[str, ...]
) -> None:
    done = flask(database, *command, check=False, CLINIC_DB_PORT=str(free_port()))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "Can't connect to MySQL server" in done.stderr
