"""The schema is what the models say, there and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loadtest.lab.database import PrivateDatabase
from tests.conftest import flask


@pytest.fixture(scope="module")
def empty() -> Iterator[PrivateDatabase]:
    with PrivateDatabase.running() as server:
        yield server


def test_up_check_down_up(empty: PrivateDatabase) -> None:
    flask(empty, "db", "upgrade")
    assert "No new upgrade operations detected" in flask(empty, "db", "check").stdout
    flask(empty, "db", "downgrade", "base")
    flask(empty, "db", "upgrade")
    assert "No new upgrade operations detected" in flask(empty, "db", "check").stdout


def test_one_head(empty: PrivateDatabase) -> None:
    assert len(flask(empty, "db", "heads").stdout.splitlines()) == 1


def test_application_logs_on_while_migrating(empty: PrivateDatabase) -> None:
    log = flask(empty, "db", "current", CLINIC_LOG_LEVEL="INFO").stderr
    assert '"logger": "alembic.runtime.migration"' in log


def test_sql_can_be_read_before_it_is_run(empty: PrivateDatabase) -> None:
    sql = flask(empty, "db", "upgrade", "base:head", "--sql").stdout
    assert "CREATE TABLE appointment" in sql
