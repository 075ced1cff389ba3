from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from loadtest.lab import commands, ports, server_binary
from loadtest.lab.application import ROOT, Application
from loadtest.lab.database import Account, PrivateDatabase
from loadtest.lab.errors import LabError
from loadtest.lab.ports import FIRST_PORT, LAST_PORT, free_port, is_free
from loadtest.lab.processes import Workspace


@pytest.fixture(scope="module")
def private() -> Iterator[PrivateDatabase]:
    with PrivateDatabase.running() as database:
        yield database


def run(database: PrivateDatabase, account: Account, *statements: str) -> tuple[object, ...]:
    """The first row of the last statement."""
    settings = database.environment(account)
    connection = pymysql.connect(
        host=settings["CLINIC_DB_HOST"],
        port=int(settings["CLINIC_DB_PORT"]),
        user=settings["CLINIC_DB_USER"],
        password=Path(settings["CLINIC_DB_PASSWORD_FILE"]).read_text(),
        database=settings["CLINIC_DB_NAME"],
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchone() or ()


def test_it_is_utc_and_unicode(private: PrivateDatabase) -> None:
    row = run(
        private,
        "app",
        "SELECT @@time_zone, @@collation_database, TIMEDIFF(NOW(), UTC_TIMESTAMP()) + 0",
    )
    assert row == ("+00:00", "utf8mb4_unicode_520_ci", 0)


def test_accounts_can_do_their_work_and_no_more(private: PrivateDatabase) -> None:
    run(private, "migrator", "CREATE TABLE granted (id INT PRIMARY KEY)")
    run(private, "app", "INSERT INTO granted VALUES (1)", "UPDATE granted SET id = 2")
    for statement in (
        "DROP TABLE granted",
        "CREATE TABLE more (id INT)",
        "SELECT 1 FROM mysql.user",
    ):
        with pytest.raises(pymysql.MySQLError, match="denied"):
            run(private, "app", statement)
    with pytest.raises(pymysql.MySQLError, match="denied"):
        run(private, "migrator", "CREATE USER intruder")
    run(private, "migrator", "DROP TABLE granted")


def test_nobody_gets_in_without_a_password(private: PrivateDatabase) -> None:
    for user in ("root", "app", "admin", ""):
        with pytest.raises(pymysql.MySQLError, match="denied"):
            pymysql.connect(host=private.host, port=private.port, user=user)


def test_passwords_are_readable_by_their_owner_only(private: PrivateDatabase) -> None:
    for account in ("app", "migrator", "admin"):
        path = Path(private.environment(account)["CLINIC_DB_PASSWORD_FILE"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((private.directory / "data").stat().st_mode) == 0o700


def test_commits_survive_a_kill_and_the_port_stays(private: PrivateDatabase) -> None:
    port = private.port
    run(private, "migrator", "CREATE TABLE kept (id INT PRIMARY KEY) ENGINE=InnoDB")
    for number in range(50):
        run(private, "app", f"INSERT INTO kept VALUES ({number})")
    private.kill()
    with pytest.raises(pymysql.MySQLError):
        run(private, "app", "SELECT 1")
    private.start()
    assert private.port == port
    assert run(private, "app", "SELECT COUNT(*) FROM kept") == (50,)
    private.stop()
    private.start()
    assert run(private, "app", "SELECT COUNT(*) FROM kept") == (50,)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_however_its_owner_ends(ending: signal.Signals) -> None:
    program = (
        "import signal, time\n"
        "from loadtest.lab.database import PrivateDatabase\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with PrivateDatabase.running() as database:\n"
        "    print(database.directory, database.port, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as owner:
        assert owner.stdout
        directory, port = owner.stdout.readline().split()
        assert Path(directory).is_dir()
        assert not is_free(int(port))
        os.kill(owner.pid, ending)
        owner.wait()
    deadline = time.monotonic() + 8
    while Path(directory).exists() or not is_free(int(port)):
        assert time.monotonic() < deadline, "the server or its directory was left behind"
        time.sleep(0.05)


def test_missing_server_is_one_message_with_three_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server_binary, "find", lambda: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert commands.main("run", ["spike", "--target", "embedded", "--runs", str(tmp_path)]) == 2
    message = capsys.readouterr().out
    for command in ("apt-get install", "dnf install", "brew install"):
        assert command in message
    assert "Traceback" not in message


def test_server_is_installed_with_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "apt-get").write_text('#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >> "$APT_LOG"\n')
    (tmp_path / "sudo").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    for command in tmp_path.iterdir():
        command.chmod(0o755)
    log = tmp_path / "log"
    monkeypatch.setenv("APT_LOG", str(log))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    server_binary.install()
    assert log.read_text().splitlines() == [
        "noninteractive -qq update",
        "noninteractive -qq install -y --no-install-recommends mariadb-server-core",
    ]


def test_server_that_does_not_start_shows_the_end_of_its_log() -> None:
    with PrivateDatabase.running() as other:
        other.stop()
        (other.directory / "data" / "ibdata1").write_bytes(b"")
        with pytest.raises(LabError) as caught:
            other.start()
    assert "did not start" in str(caught.value)
    assert "ERROR" in str(caught.value)


def test_application_that_does_not_start_shows_the_end_of_its_log(
    private: PrivateDatabase,
) -> None:
    workspace = Workspace("poolsight-test-")
    try:
        application = Application(workspace, private, CLINIC_POOL_SIZE="many")
        with pytest.raises(LabError, match="CLINIC_POOL_SIZE"):
            application.start()
    finally:
        workspace.close()
    assert not workspace.directory.exists()


def test_free_ports_are_not_those_of_outgoing_connections() -> None:
    assert FIRST_PORT <= free_port() <= LAST_PORT < 32768


def test_a_port_is_given_once_though_nobody_listens_on_it_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    monkeypatch.setattr(ports, "FIRST_PORT", port)
    monkeypatch.setattr(ports, "LAST_PORT", port)
    assert is_free(port)
    with pytest.raises(LabError, match="No free port"):
        free_port()
