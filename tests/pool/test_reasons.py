"""Why connections end, and why they cannot be had."""

from __future__ import annotations

import gc
import socket
import ssl
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError, OperationalError

from app.pool import measured_pool
from app.pool.failures import failure_reason
from app.pool.layout import CLOSE_REASONS, FAILURE_REASONS
from tests.pool.conftest import Reading
from tests.pool.oracle import Recording


@pytest.fixture
def dbapi() -> Recording:
    return Recording()


@pytest.fixture
def engine(dbapi: Recording, name: str) -> Engine:
    """An engine with pool 1+1 that pings and recycles."""
    options = {"pool_size": 1, "pool_pre_ping": True, "pool_recycle": 1000}
    return dbapi.engine(measured_pool(name), **options)


def overflow(engine: Engine) -> None:
    for connection in [engine.raw_connection(), engine.raw_connection()]:
        connection.close()


def recycle(engine: Engine) -> None:
    connection = engine.raw_connection()
    record = connection._connection_record
    connection.close()
    record.starttime -= 2000
    engine.raw_connection().close()


def pre_ping(engine: Engine) -> None:
    engine.raw_connection().close()
    setattr(engine.dialect, "do_ping", lambda _: False)  # noqa: B010 - mypy
    engine.raw_connection().close()


def invalidate(engine: Engine) -> None:
    engine.raw_connection().invalidate()


def invalidate_by_listener(engine: Engine) -> None:
    engine.raw_connection().close()
    refusals = iter([True])

    def refuse_once(*_: object) -> None:
        if next(refusals, False):
            raise DisconnectionError

    event.listen(engine, "checkout", refuse_once)
    engine.raw_connection().close()


def soft_invalidate(engine: Engine) -> None:
    connection = engine.raw_connection()
    connection.invalidate(soft=True)
    connection._connection_record.starttime -= 1
    connection.close()
    engine.raw_connection().close()


def detach(engine: Engine) -> None:
    connection = engine.raw_connection()
    connection.detach()
    connection.close()


def dispose(engine: Engine) -> None:
    engine.raw_connection().close()
    engine.dispose()


def error(engine: Engine) -> None:
    engine.raw_connection().invalidate(OperationalError("SELECT", None, Exception("lost")))


def error_in_set_up(engine: Engine) -> None:
    def fail(*_: object) -> None:
        raise ValueError("not set up")

    event.listen(engine, "connect", fail)
    with pytest.raises(ValueError, match="not set up"):
        engine.raw_connection()


def garbage(engine: Engine) -> None:
    engine.raw_connection().close()
    engine.dispose(close=False)
    gc.collect()


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (overflow, "overflow"),
        (recycle, "recycle"),
        (pre_ping, "pre_ping"),
        (invalidate, "invalidate"),
        (invalidate_by_listener, "invalidate"),
        (soft_invalidate, "soft_invalidate"),
        (detach, "detach"),
        (dispose, "dispose"),
        (error, "error"),
        (error_in_set_up, "error"),
        (garbage, "garbage"),
    ],
)
def test_close(
    engine: Engine, dbapi: Recording, read: Reading, end: Callable[[Engine], None], reason: str
) -> None:
    end(engine)
    closed = {one: read("sqlalchemy_pool_closes_total", reason=one) for one in CLOSE_REASONS}
    assert closed == dict.fromkeys(CLOSE_REASONS, 0) | {reason: 1}
    assert dbapi.opened - dbapi.open == 1


def test_others_are_invalidated_with_one_that_is_dead(
    engine: Engine, dbapi: Recording, read: Reading
) -> None:
    """One ping fails, and the pool distrusts all connections that are older."""
    engine = dbapi.engine(engine.pool.__class__, pool_size=2, pool_pre_ping=True)
    for connection in [engine.raw_connection(), engine.raw_connection()]:
        connection._connection_record.starttime -= 1
        connection.close()
    answers = iter([False, True])
    setattr(engine.dialect, "do_ping", lambda _: next(answers))  # noqa: B010 - mypy
    held = [engine.raw_connection(), engine.raw_connection()]
    assert read("sqlalchemy_pool_closes_total", reason="pre_ping") == 1
    assert read("sqlalchemy_pool_closes_total", reason="invalidate") == 1
    assert read("sqlalchemy_pool_ping_seconds_count", outcome="error") == 1
    for connection in held:
        connection.close()


def test_pings_are_timed(engine: Engine, read: Reading) -> None:
    for _ in range(3):
        engine.raw_connection().close()
    engine.dispose()
    for _ in range(2):
        engine.raw_connection().close()
    assert read("sqlalchemy_pool_ping_seconds_count", outcome="ok") == 3
    assert read("sqlalchemy_pool_ping_seconds_count", outcome="error") == 0


class DriverError(Exception):
    """As a driver raises it: a number first, the cause in an attribute of its own."""

    def __init__(self, number: int, cause: BaseException | None = None) -> None:
        super().__init__(number, "text")
        self.original_exception = cause


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (DriverError(2003, ConnectionRefusedError(111, "refused")), "refused"),
        (DriverError(2003, TimeoutError("timed out")), "timeout"),
        (DriverError(2003, socket.gaierror(-2, "unknown")), "name_resolution"),
        (DriverError(2003, ssl.SSLError(1, "certificate verify failed")), "tls"),
        (DriverError(2013, ConnectionResetError(104, "reset")), "network"),
        (DriverError(1045), "access_denied"),
        (DriverError(1040), "too_many_connections"),
        (DriverError(9999), "other"),
        (ValueError("whatever"), "other"),
    ],
)
def test_failure(
    engine: Engine, dbapi: Recording, read: Reading, raised: Exception, reason: str
) -> None:
    def fail() -> None:
        raise raised

    dbapi.before = fail
    with pytest.raises(type(raised)):
        engine.raw_connection()
    failed = {
        one: read("sqlalchemy_pool_connect_failures_total", reason=one) for one in FAILURE_REASONS
    }
    assert failed == dict.fromkeys(FAILURE_REASONS, 0) | {reason: 1}
    assert read("db_client_connection_create_time_seconds_count", outcome="error") == 1
    assert read("sqlalchemy_pool_constructing") == 0


def test_reason_ends_with_errors_that_are_each_others_cause() -> None:
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert FAILURE_REASONS[failure_reason(first)] == "other"
