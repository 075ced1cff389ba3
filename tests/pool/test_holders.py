"""Who holds connections, for how long, and who never gives them back."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from app.pool import PoolCollector, holding, measured_pool, metrics_directory
from app.pool.layout import NAMES
from tests.pool.conftest import Reading
from tests.pool.oracle import Recording, only
from tests.waiting import eventually

HELD = "sqlalchemy_pool_held"
USES = "sqlalchemy_pool_holder_use_seconds_count"


def test_name_that_was_set(name: str, read: Reading) -> None:
    engine = Recording().engine(measured_pool(name))
    with holding("nightly"), engine.connect():
        assert read(HELD, holder="nightly") == 1
    assert read(HELD, holder="nightly") == 0
    with engine.connect():
        assert read(HELD, holder="other") == 1
    assert read(USES, holder="nightly") == 1
    assert read(USES, holder="other") == 1
    assert read("db_client_connection_use_time_seconds_count") == 2
    total = read("db_client_connection_use_time_seconds_sum")
    assert total == pytest.approx(read("sqlalchemy_pool_holder_use_seconds_sum"))


def test_name_that_the_application_tells(name: str, read: Reading) -> None:
    names = iter(["/slots", None])
    engine = Recording().engine(measured_pool(name, holder=lambda: next(names)))
    with holding("otherwise"):
        engine.connect().close()
        engine.connect().close()
    assert read(USES, holder="/slots") == 1
    assert read(USES, holder="otherwise") == 1


def test_application_that_cannot_tell(name: str, read: Reading) -> None:
    engine = Recording().engine(measured_pool(name, holder=lambda: str(1 / 0)))
    with engine.connect():
        assert read(HELD, holder="other") == 1
    assert read("sqlalchemy_pool_faults_total") == 1


def test_names_of_any_kind_are_told_apart_and_kept(name: str, read: Reading) -> None:
    names = iter(["", "\ud800", 7, 7, "after"])
    engine = Recording().engine(measured_pool(name, holder=lambda: next(names)))  # type: ignore[arg-type, return-value]
    for _ in range(5):
        engine.connect().close()
    for holder, uses in {"other": 1, "?": 1, "7": 2, "after": 1}.items():
        assert read(USES, holder=holder) == uses, holder
    assert read("sqlalchemy_pool_faults_total") == 0


def test_names_are_bounded(name: str, tmp_path: Path) -> None:
    engine = Recording().engine(measured_pool(name))
    for number in range(200):
        with holding(f"ünnämed {number}" + "x" * 200):
            engine.connect().close()
    (worker,) = PoolCollector(only(name, metrics_directory(), tmp_path)).workers()
    uses = worker.holder_uses()
    assert len(uses) == NAMES.rows
    assert uses["other"][0] == 200 - (NAMES.rows - 1)


def test_leak_is_counted_and_logged_once(
    name: str, read: Reading, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Recording().engine(measured_pool(name, leak_threshold=0.1))
    with caplog.at_level(logging.WARNING, "app.pool"), holding("report"):
        held = engine.connect()
        eventually(lambda: read("sqlalchemy_pool_leaks_total") == 1)
        eventually(lambda: read("sqlalchemy_pool_oldest_lease_seconds") > 0.3)
    held.close()
    assert read("sqlalchemy_pool_leaks_total") == 1
    assert read("sqlalchemy_pool_leaks_suspected") == 0
    (message,) = [record.getMessage() for record in caplog.records if name in record.getMessage()]
    assert "by report." in message
    assert "borrowed here" not in message


def test_leak_is_suspected_while_it_lasts(name: str, read: Reading) -> None:
    engine = Recording().engine(measured_pool(name, leak_threshold=0.1))
    with engine.connect():
        eventually(lambda: read("sqlalchemy_pool_leaks_suspected") == 1)
    assert read("sqlalchemy_pool_leaks_suspected") == 0


def test_leak_tells_where_where_that_is_asked_for(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool = measured_pool(name, leak_threshold=0.1, leak_stacks=True)
    engine = Recording().engine(pool)
    with caplog.at_level(logging.WARNING, "app.pool"), engine.connect():
        eventually(lambda: any(name in record.getMessage() for record in caplog.records))
    (message,) = [record.getMessage() for record in caplog.records if name in record.getMessage()]
    assert "test_leak_tells_where_where_that_is_asked_for" in message
