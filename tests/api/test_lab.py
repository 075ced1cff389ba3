"""Faults on purpose do what they say to the pool, within bounds, and only where enabled."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from app.database import db
from app.settings import Settings
from tests.api.problems import assert_problem
from tests.api.variants import variant

PATHS = [
    ("GET", "/lab/slow"), ("GET", "/lab/hold"), ("GET", "/lab/nested"), ("GET", "/lab/chatty"),
    ("POST", "/lab/leak"), ("POST", "/lab/leak/release"),
]  # fmt: skip


@pytest.fixture(scope="module")
def lab(settings: Settings) -> Iterator[Flask]:
    """A pool of 2+1, in which what is held is easily counted."""
    changes = {"pool_size": 2, "pool_max_overflow": 1, "pool_timeout": 0.3}
    with variant(settings, lab_enabled=True, **changes) as app:
        yield app


def pool(app: Flask) -> QueuePool:
    with app.app_context():
        found = db.engine.pool
    assert isinstance(found, QueuePool)
    return found


def checked_out(app: Flask, path: str) -> set[int]:
    """The numbers of connections that were seen in use while *path* was answered."""
    seen, ended = set(), Event()

    def watch() -> None:
        while not ended.wait(0.005):
            seen.add(pool(app).checkedout())

    watcher = Thread(target=watch)
    watcher.start()
    try:
        assert app.test_client().get(path).status_code == 200
    finally:
        ended.set()
        watcher.join()
    return seen


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_there_is_no_lab_unless_enabled(settings: Settings, method: str, path: str) -> None:
    with variant(settings, lab_enabled=False) as app:
        assert_problem(app.test_client().open(path, method=method), 404, "not_found")


@pytest.mark.parametrize(
    "query",
    ["slow?seconds=31", "slow?seconds=-1", "slow?seconds=nan", "hold?seconds=1e9",
     "nested?depth=17", "nested?depth=0", "chatty?queries=1001", "chatty?queries=x"],
)  # fmt: skip
def test_faults_are_bounded(lab: Flask, query: str) -> None:
    assert_problem(lab.test_client().get(f"/lab/{query}"), 422, "unprocessable_entity")


@pytest.mark.parametrize("path", ["/lab/slow?seconds=0.3", "/lab/hold?seconds=0.3"])
def test_one_connection_is_held(lab: Flask, path: str) -> None:
    assert checked_out(lab, path) <= {0, 1}
    assert 1 in checked_out(lab, path)
    assert pool(lab).checkedout() == 0


def test_nested_holds_as_many_as_it_says(lab: Flask) -> None:
    most: list[int] = []

    def note(*_: Any) -> None:
        most.append(pool(lab).checkedout())

    with lab.app_context():
        engine = db.engine
    event.listen(engine, "checkout", note)
    try:
        assert lab.test_client().get("/lab/nested?depth=3").get_json() == {"held_at_once": 3}
    finally:
        event.remove(engine, "checkout", note)
    assert max(most) == 3
    assert pool(lab).checkedout() == 0


def test_nested_locks_itself_out(lab: Flask) -> None:
    answer = lab.test_client().get("/lab/nested?depth=4")
    assert_problem(answer, 503, "pool_exhausted")
    assert pool(lab).checkedout() == 0


def test_leaks_stay_until_released(lab: Flask) -> None:
    client = lab.test_client()
    for number in (1, 2, 3):
        assert client.post("/lab/leak").get_json() == {"leaked_by_this_worker": number}
        assert pool(lab).checkedout() == number
    assert_problem(client.post("/lab/leak"), 503, "pool_exhausted")
    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(lab.test_client().post, "/lab/leak/release") for _ in range(4)]
        released = [answer.result().get_json()["released_by_this_worker"] for answer in answers]
    assert sum(released) == 3
    assert pool(lab).checkedout() == 0


def test_chatty_asks_as_often_as_it_says(lab: Flask) -> None:
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    with lab.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert lab.test_client().get("/lab/chatty?queries=25").get_json() == {"statements": 25}
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert statements == ["SELECT 1"] * 25
