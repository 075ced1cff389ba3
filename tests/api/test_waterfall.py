"""A request's time is split so that no second counts twice, and splitting harms no request."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app import waterfall
from app.database import db
from app.pool import ThreadSeconds
from app.settings import Settings
from app.waterfall import queued_seconds, split
from tests.api.variants import variant

NOW = 1_700_000_000


def test_parts_of_one_connection() -> None:
    spent = ThreadSeconds(wait=3, queue_wait=2, use=7)
    assert split(12, spent, 4) == {"pool_wait": 2, "connect": 1, "sql": 4, "held": 3, "rest": 2}


@pytest.mark.parametrize("whole", [0.0, 1.0, 5.0, 100.0])
def test_parts_add_up_whatever_was_measured(whole: float) -> None:
    for wait, queue_wait, use, sql in product([0.0, 0.7, 2.0, 50.0], repeat=4):
        parts = split(whole, ThreadSeconds(wait, queue_wait, use), sql)
        assert sum(parts.values()) == pytest.approx(whole)
        assert min(parts.values()) >= 0


def test_use_of_several_connections_takes_from_the_rest_only() -> None:
    spent = ThreadSeconds(wait=1, queue_wait=0, use=20)
    assert split(10, spent, 4) == {"pool_wait": 0, "connect": 1, "sql": 4, "held": 5, "rest": 0}


class Clock:
    """The seconds of SQL that this thread has run."""

    def __init__(self) -> None:
        self._last = waterfall._thread.sql

    def moved(self) -> bool:
        """Whether there are more than when this was asked last."""
        before, self._last = self._last, waterfall._thread.sql
        return self._last > before


def test_commits_and_failed_statements_are_sql_and_setting_up_is_not(settings: Settings) -> None:
    clock = Clock()
    with variant(settings) as app, app.app_context(), db.engine.connect() as connection:
        assert not clock.moved()
        connection.execute(text("SELECT 1"))
        assert clock.moved()
        connection.commit()
        assert clock.moved()
        with pytest.raises(ProgrammingError):
            connection.execute(text("SELECT nothing FROM nowhere"))
        assert clock.moved()
        connection.rollback()
        assert clock.moved()


@pytest.mark.parametrize(
    "sent",
    ["1699999940", "t=1699999940", "t=1699999940.000", "1699999940000", "t=1699999940000000"],
)
def test_time_before_the_application(sent: str) -> None:
    assert queued_seconds(sent, NOW) == pytest.approx(60)


@pytest.mark.parametrize("sent", [
    "", "t=", "soon", "t=nan", "inf", "-1699999940", "+1699999940", "1699999940e0", "1_699_999_940",
    "t=1699999940, t=1699999940", "T=1699999940", "1699999940 s", "t=1699999940.0.0", "t=.5",
    "\u0661699999940", "9" * 400, "0", "t=1700000060", "t=1699992800",
])  # fmt: skip
def test_time_that_cannot_be_believed(sent: str) -> None:
    assert queued_seconds(sent, NOW) == 0


@pytest.mark.parametrize("part", ["thread_seconds", "queued_seconds", "split", "_rule"])
def test_error_of_its_own_reaches_no_request(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(waterfall, part, broken)
    assert client.get("/api/v1/patients").status_code == 200


def test_requests_that_cannot_be_split_are_answered(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waterfall, "thread_seconds", lambda _: None)
    assert client.get("/api/v1/patients").status_code == 200


def test_error_of_the_application_is_counted(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[float] = []

    def counting(whole: float, *more: Any) -> dict[str, float]:
        counted.append(whole)
        return split(whole, *more)

    def fails(*_: Any) -> Any:
        raise SystemExit

    monkeypatch.setattr(waterfall, "split", counting)
    monkeypatch.setattr(app, "full_dispatch_request", fails)
    with pytest.raises(SystemExit):
        client.get("/api/v1/patients")
    assert len(counted) == 1
