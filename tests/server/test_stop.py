"""A stop that loses nothing: who is served is answered, who comes late is refused at once."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from loadtest.lab.application import Application
from loadtest.lab.database import PrivateDatabase
from tests.server.conftest import SETTINGS, Scrape
from tests.server.test_metrics import get
from tests.waiting import eventually

HELD = "/lab/hold?seconds=3"


@pytest.fixture
def stopping(database: PrivateDatabase) -> Iterator[Application]:
    """An application of the test's own, which it may stop."""
    with Application.running(database, **SETTINGS) as application:
        yield application


def test_requests_in_flight_are_answered_and_no_other_accepted(stopping: Application) -> None:
    with ThreadPoolExecutor(1) as thread:
        held = thread.submit(get, stopping, HELD)
        eventually(lambda: used(stopping) == 1)
        os.kill(stopping.pid, signal.SIGTERM)
        eventually(lambda: refuses(stopping))
        assert not held.done()
        assert held.result() == 200


def test_the_database_hears_of_the_end(database: PrivateDatabase) -> None:
    before = clients(database)
    aborted = aborts(database)
    with Application.running(database, **SETTINGS) as application:
        get(application, "/api/v1/clinicians?limit=1")
        assert clients(database) > before
    eventually(lambda: clients(database) <= before)
    assert aborts(database) == aborted


def test_what_a_killed_server_left_goes_with_the_next_start(
    database: PrivateDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def directories() -> set[Path]:
        return set(tmp_path.glob("clinic-metrics-*"))

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Application.running(database) as living:
        its_own = directories()
        with Application.running(database) as killed:
            os.killpg(killed.pid, signal.SIGKILL)
        assert len(directories() - its_own) == 1
        with Application.running(database) as last:
            assert len(directories() - its_own) == 1
            assert Scrape(living).total("sqlalchemy_pool_size") > 0
            assert last.alive
        assert directories() == its_own
    assert directories() == set()


def clients(database: PrivateDatabase) -> int:
    return counted(database, "Threads_connected")


def aborts(database: PrivateDatabase) -> int:
    return counted(database, "Aborted_clients")


def counted(database: PrivateDatabase, status: str) -> int:
    with database.connect("admin") as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE %s", (status,))
        return int(cursor.fetchone()[1])


def used(application: Application) -> float:
    return Scrape(application).total(
        "db_client_connection_count", db_client_connection_state="used"
    )


def refuses(application: Application) -> bool:
    address = urlsplit(application.url)
    try:
        socket.create_connection((address.hostname or "", address.port or 0), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False
