"""Connections as they are: used, idle, overflow; through every way they come and go."""

from __future__ import annotations

import gc

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError, OperationalError

from tests.pool.conftest import Reading, count

OVERFLOW = "sqlalchemy_pool_overflow"


def states(read: Reading) -> tuple[float, float, float]:
    return count(read, "used"), count(read, "idle"), read(OVERFLOW)


def test_limits_are_exported(engine: Engine, read: Reading) -> None:
    engine.connect().close()
    assert read("sqlalchemy_pool_size") == 2
    assert read("db_client_connection_max") == 3


def test_borrow_and_return(engine: Engine, read: Reading) -> None:
    borrowed = [engine.connect() for _ in range(3)]
    assert states(read) == (3, 0, 1)
    for connection in borrowed:
        connection.close()
    assert states(read) == (0, 2, 0)
    assert read("sqlalchemy_pool_overflows_total") == 1
    assert read("sqlalchemy_pool_closes_total") == 1
    assert read("sqlalchemy_pool_connects_total", outcome="ok") == 3


def test_invalidated_while_out(engine: Engine, read: Reading) -> None:
    connection = engine.connect()
    connection.invalidate()
    assert states(read) == (0, 0, 0)
    connection.close()
    assert states(read) == (0, 0, 0)
    engine.connect().close()
    assert states(read) == (0, 1, 0)


def test_detached_fifty_times(engine: Engine, read: Reading) -> None:
    for _ in range(50):
        connection = engine.connect()
        connection.detach()
        connection.close()
    assert states(read) == (0, 0, 0)
    assert read("sqlalchemy_pool_closes_total") == 50


def test_leaked_in_a_cycle(engine: Engine, read: Reading) -> None:
    holder: list[object] = [engine.raw_connection()]
    holder.append(holder)
    assert states(read) == (1, 0, 0)
    del holder
    gc.collect()
    assert states(read) == (0, 1, 0)


def test_disposed_with_all_returned(engine: Engine, read: Reading) -> None:
    engine.connect().close()
    engine.dispose()
    assert states(read) == (0, 0, 0)
    with engine.connect():
        assert states(read) == (1, 0, 0)


def test_outage_of_a_hundred_connects(engine: Engine, read: Reading) -> None:
    """The naive gauge ends at -100 used and +100 idle."""

    def refuse(*_: object) -> None:
        raise OperationalError("connect", None, Exception("away"))

    event.listen(engine, "do_connect", refuse)
    for _ in range(100):
        with pytest.raises(OperationalError):
            engine.connect()
    assert states(read) == (0, 0, 0)
    assert read("sqlalchemy_pool_connects_total", outcome="error") == 100
    event.remove(engine, "do_connect", refuse)
    engine.connect().close()
    assert states(read) == (0, 1, 0)


def test_connection_refused_by_a_later_listener(engine: Engine, read: Reading) -> None:
    refusals = iter([True])

    def refuse_once(*_: object) -> None:
        if next(refusals, False):
            raise DisconnectionError

    event.listen(engine, "checkout", refuse_once)
    with engine.connect():
        assert states(read) == (1, 0, 0)
    assert states(read) == (0, 1, 0)


def test_connection_whose_set_up_failed(engine: Engine, read: Reading) -> None:
    def fail(*_: object) -> None:
        raise ValueError("not set up")

    event.listen(engine, "connect", fail)
    with pytest.raises(ValueError, match="not set up"):
        engine.connect()
    assert states(read) == (0, 0, 0)
