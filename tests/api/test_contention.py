"""Locks that others hold, deadlocks, and a pool with nothing left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import ExceptionContext

from app.database import db
from app.settings import Settings
from tests.api.problems import assert_problem
from tests.api.variants import variant
from tests.clinic.offers import Offer, standing

PATH = "/api/v1/appointments"
LOCK = text("SELECT id FROM slot WHERE id = :id FOR UPDATE")


@contextmanager
def statements_fail(app: Flask, containing: str, code: int, times: int) -> Iterator[list[str]]:
    """The driver raises MySQL's error *code* for the first *times* such statements."""
    seen: list[str] = []

    def execute(_: Any, statement: str, *__: Any) -> None:
        if statement.startswith(containing):
            seen.append(statement)
            if len(seen) <= times:
                raise pymysql.err.OperationalError(code, "for the test")

    with app.app_context():
        engine = db.engine
    event.listen(engine, "do_execute", execute)
    yield seen
    event.remove(engine, "do_execute", execute)


@contextmanager
def another(app: Flask) -> Iterator[Connection]:
    """A transaction of somebody else, which is rolled back at the end."""
    with app.app_context(), db.engine.connect() as connection:
        yield connection
        connection.rollback()


@contextmanager
def errors_seen(app: Flask, codes: list[int]) -> Iterator[None]:
    """The numbers of the errors that the server answers."""

    def note(context: ExceptionContext) -> None:
        codes.append(context.original_exception.args[0])

    with app.app_context():
        engine = db.engine
    event.listen(engine, "handle_error", note)
    yield
    event.remove(engine, "handle_error", note)


def until_waiting(connection: Connection, sql: str) -> None:
    """Wait until a statement like *sql* waits in the server."""
    waiting = text("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE :like")
    deadline = time.monotonic() + 5
    while connection.scalar(waiting, {"like": sql}) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_deadlocks_are_retried(app: Flask, client: FlaskClient, three: Offer) -> None:
    with statements_fail(app, "UPDATE slot", 1213, times=2) as attempts:
        answer = client.post(PATH, json={"slot_id": three.slots[0], "patient_id": 1})
    assert (answer.status_code, len(attempts)) == (201, 3)
    assert standing(app, three.slots[0]) == 1


def test_a_deadlock_that_ended_the_savepoint_is_retried(
    app: Flask, client: FlaskClient, three: Offer
) -> None:
    """With a key there is a savepoint, which a real deadlock rolls back with all the rest."""
    wanted = {"slot_id": three.slots[0], "patient_id": 1}
    with (
        statements_fail(app, "UPDATE slot", 1213, times=2) as attempts,
        statements_fail(app, "ROLLBACK TO SAVEPOINT", 1305, times=2),
    ):
        answer = client.post(PATH, json=wanted, headers={"Idempotency-Key": "deadlocked"})
    assert answer.status_code == 201
    assert len(attempts) == 3


def test_a_third_deadlock_is_503(app: Flask, client: FlaskClient, three: Offer) -> None:
    with statements_fail(app, "UPDATE slot", 1213, times=9) as attempts:
        answer = client.post(PATH, json={"slot_id": three.slots[0], "patient_id": 1})
    assert_problem(answer, 503, "deadlock")
    assert len(attempts) == 3
    assert standing(app, three.slots[0]) == 0


def test_other_errors_are_not_retried(app: Flask, client: FlaskClient, three: Offer) -> None:
    with statements_fail(app, "UPDATE slot", 1205, times=1) as attempts:
        answer = client.post(PATH, json={"slot_id": three.slots[0], "patient_id": 1})
    assert_problem(answer, 503, "lock_wait")
    assert len(attempts) == 1


def test_a_real_deadlock_is_survived(app: Flask, client: FlaskClient, three: Offer) -> None:
    first, second, third = three.slots
    mine = client.post(PATH, json={"slot_id": first, "patient_id": 1}).get_json()["id"]
    errors: list[int] = []
    with (
        errors_seen(app, errors),
        another(app) as other,
        another(app) as observer,
        ThreadPoolExecutor(1) as thread,
    ):
        # What has changed more is not the victim.
        other.execute(text("UPDATE patient SET born = '1990-01-01' WHERE id BETWEEN 1 AND 100"))
        other.execute(LOCK, {"id": second})
        move = thread.submit(
            app.test_client().post, f"{PATH}/{mine}/reschedule", json={"slot_id": second}
        )
        until_waiting(observer, "SELECT slot.id%FOR UPDATE")
        other.execute(LOCK, {"id": first})
        other.rollback()
        assert move.result(10).status_code == 200
    assert errors == [1213]
    assert [standing(app, slot) for slot in (first, second, third)] == [0, 1, 0]


def test_a_lock_held_too_long_is_503(app: Flask, settings: Settings, three: Offer) -> None:
    with variant(settings, db_lock_wait_timeout=1) as impatient, another(app) as other:
        other.execute(LOCK, {"id": three.slots[0]})
        began = time.monotonic()
        wanted = {"slot_id": three.slots[0], "patient_id": 1}
        answer = impatient.test_client().post(PATH, json=wanted)
        assert_problem(answer, 503, "lock_wait")
        assert 0.5 < time.monotonic() - began < 3
    assert standing(app, three.slots[0]) == 0


@pytest.mark.parametrize("path", ["/api/v1/slots", "/readyz"])
def test_an_exhausted_pool_is_503_at_once(settings: Settings, path: str) -> None:
    small = {"pool_size": 1, "pool_max_overflow": 1, "pool_timeout": 0.2}
    with variant(settings, **small) as busy:
        with another(busy), another(busy):
            began = time.monotonic()
            assert_problem(busy.test_client().get(path), 503, "pool_exhausted")
            assert 0.2 <= time.monotonic() - began < 1
            assert busy.test_client().get("/livez").status_code == 200
        assert busy.test_client().get(path).status_code == 200


def test_a_select_that_takes_too_long_is_503(settings: Settings) -> None:
    with variant(settings, db_max_execution_time=0.3) as impatient:
        answer = impatient.test_client().get("/lab/slow?seconds=5")
        if answer.status_code != 200:  # MySQL ends SLEEP early, without an error
            assert_problem(answer, 503, "statement_timeout")
