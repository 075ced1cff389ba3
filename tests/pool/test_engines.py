"""Several pools in one process, and engines that cannot be measured."""

from __future__ import annotations

import gc

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import ArgumentError

from app.pool import PoolCollector, measured_pool
from tests.pool.conftest import Reading, count, reader
from tests.pool.oracle import Recording


def test_pools_of_two_names_are_told_apart(name: str) -> None:
    one, two = name + " one", name + " two"
    first = Recording().engine(measured_pool(one))
    second = Recording().engine(measured_pool(two), pool_size=5)
    with first.connect(), second.connect(), second.connect():
        assert count(reader(one), "used") == 1
        assert count(reader(two), "used") == 2
    assert reader(one)("sqlalchemy_pool_size") == 2
    assert reader(two)("sqlalchemy_pool_size") == 5


def test_engines_of_one_name_are_added_up_while_they_live(name: str, read: Reading) -> None:
    first = Recording().engine(measured_pool(name))
    second = Recording().engine(measured_pool(name), pool_size=5, max_overflow=0)
    with first.connect(), second.connect():
        assert count(read, "used") == 2
        assert read("sqlalchemy_pool_size") == 7
        assert read("db_client_connection_max") == 8
    del second
    gc.collect()
    assert read("sqlalchemy_pool_size") == 2
    assert count(read, "idle") == 1
    first.dispose()
    assert read("db_client_connection_max") == 3


def test_unlimited_pool(name: str, read: Reading) -> None:
    engine = Recording().engine(measured_pool(name), max_overflow=-1)
    held = [engine.connect() for _ in range(20)]
    assert read("db_client_connection_max") == float("inf")
    assert read("sqlalchemy_pool_overflow") == 18
    assert read("sqlalchemy_pool_overflows_total") == 18
    for connection in held:
        connection.close()
    assert read("sqlalchemy_pool_closes_total", reason="overflow") == 18


def test_pool_without_a_size_has_nothing_beyond_it(name: str, read: Reading) -> None:
    engine = Recording().engine(measured_pool(name), pool_size=0)
    held = [engine.connect() for _ in range(3)]
    assert count(read, "used") == 3
    assert read("sqlalchemy_pool_overflow") == read("sqlalchemy_pool_overflows_total") == 0
    for connection in held:
        connection.close()


def test_failed_connect_is_no_overflow(name: str, read: Reading) -> None:
    dbapi = Recording()
    engine = dbapi.engine(measured_pool(name))
    held = [engine.connect() for _ in range(2)]
    dbapi.refuse()
    for _ in range(3):
        with pytest.raises(Exception, match="away"):
            engine.raw_connection()
    assert read("sqlalchemy_pool_overflows_total") == 0
    for connection in held:
        connection.close()


def test_more_connections_than_rows(
    name: str, read: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no row is not shown, and takes nobody else's."""
    engine = Recording().engine(measured_pool(name), pool_size=0)
    held = [engine.raw_connection() for _ in range(2100)]
    assert count(read, "used") == 2048
    for connection in held:
        connection.invalidate()
    assert count(read, "used") == count(read, "idle") == 0
    engine.raw_connection().close()
    assert count(read, "idle") == 1


def test_asynchronous_engine_is_refused_clearly() -> None:
    sync = create_engine("sqlite://")
    sync.dialect.is_async = True
    with pytest.raises(ArgumentError, match="is for synchronous engines"):
        measured_pool("async")(lambda: None, dialect=sync.dialect)


def test_process_that_only_makes_a_pool_is_no_worker(name: str) -> None:
    Recording().engine(measured_pool(name))
    pools = {worker.stored.pool for worker in PoolCollector().workers()}
    assert name not in pools
