"""The engine, its pool and its transactions.

Every request holds at most one connection, and none while it renders: :func:`transaction` gives
the connection back before it returns, so what it returns must be complete.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

import click
from flask import Flask, Request, request
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from app.clinic.models import Base
from app.pool import Budget, measured_pool
from app.settings import Settings

POOL_NAME = "clinic"
REPLICA_POOL_NAME = "clinic-replica"
REPLICA = "replica"  # the key of the engine for reads that may be a little old
DEADLOCK = 1213
DEADLOCK_RETRIES = 2
# The server ended the statement: max_execution_time of MySQL, max_statement_time of MariaDB.
STATEMENT_TIMEOUTS = frozenset({3024, 1969})


class Database(SQLAlchemy):
    """Flask-SQLAlchemy, with engine options as they are."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        # Instead of engine_from_config, which rounds pool_timeout down to whole seconds.
        return create_engine(**options)


db = Database(metadata=Base.metadata, session_options={"expire_on_commit": False})
migrate = Migrate(compare_type=True, compare_server_default=True, render_as_batch=False)

Result = TypeVar("Result")

# The proxy takes half a microsecond more for each attribute, and a checkout asks for one.
_current_request: Callable[[], Request] = request._get_current_object  # type: ignore[attr-defined]


def init_app(app: Flask, settings: Settings) -> None:
    """Give *app* its engines. No connection is made yet, and none is shared with a forked child."""
    app.config["SQLALCHEMY_DATABASE_URI"] = _url(settings, settings.db_host, settings.db_port)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(settings, POOL_NAME)
    if settings.db_replica_host:
        url = _url(settings, settings.db_replica_host, settings.db_replica_port)
        options = _engine_options(settings, REPLICA_POOL_NAME)
        app.config["SQLALCHEMY_BINDS"] = {REPLICA: {"url": url, **options}}
    db.init_app(app)
    migrate.init_app(app, db)
    with app.app_context():
        for engine in db.engines.values():
            _bound_waits(engine, settings)
            event.listen(engine, "do_connect", _present_password(settings))
            os.register_at_fork(after_in_child=_leave_to_parent(engine))


def close_idle(app: Flask) -> None:
    """Close the connections that nobody holds. MySQL is told so, instead of finding them dead."""
    with app.app_context():
        for engine in db.engines.values():
            engine.pool.dispose()


def pool_names(settings: Settings) -> tuple[str, ...]:
    """The names of the application's pools."""
    return (POOL_NAME, REPLICA_POOL_NAME) if settings.db_replica_host else (POOL_NAME,)


def budget(settings: Settings, max_connections: int) -> Budget:
    """The connections that the application may open, against a server's *max_connections*."""
    return Budget(
        workers=settings.workers,
        replicas=settings.replicas,
        size=settings.pool_size,
        max_overflow=settings.pool_max_overflow,
        max_connections=max_connections,
        reserve=settings.db_reserved_connections,
    )


def connect_args(settings: Settings) -> dict[str, Any]:
    """What PyMySQL is told beside host, account and schema: timeouts, session and TLS."""
    arguments: dict[str, Any] = {
        "connect_timeout": settings.db_connect_timeout,
        # Until it is borrowed: PyMySQL's connect_timeout ends with TCP, before the handshake,
        # which a server that is frozen never answers. See _bound_waits.
        "read_timeout": settings.db_connect_timeout,
        "write_timeout": settings.db_connect_timeout,
        "init_command": _session_settings(settings),
        # For who asks MySQL: its processlist has only the address, which replicas may share.
        "program_name": f"clinic@{socket.gethostname()}",
    }
    if settings.db_ca_file:
        # A context verifies chain and name. The URL's ssl_ca does neither.
        arguments["ssl"] = ssl.create_default_context(cafile=str(settings.db_ca_file))
    return arguments


def transaction(work: Callable[[Session], Result]) -> Result:
    """Run *work* in one transaction and commit it; a deadlock's victim is run again, twice.

    Raises:
        sqlalchemy.exc.TimeoutError: the pool had no connection within ``pool_timeout``.
        sqlalchemy.exc.OperationalError: the database is away, a lock was not granted in time, or
            deadlocks did not end.
    """
    for retries_left in reversed(range(DEADLOCK_RETRIES + 1)):
        try:
            with db.session.begin():
                return work(db.session())
        except DBAPIError as error:
            deadlock = _deadlock(error)
            if deadlock is None:
                raise
            if not retries_left:
                raise deadlock from None
        finally:
            db.session.remove()
    raise AssertionError("the last attempt returns or raises")


def migration_engine(settings: Settings) -> Engine:
    """An engine for migrations: without a pool, and a statement takes as long as it takes."""
    unlimited = settings.model_copy(update={"db_max_execution_time": 0})
    engine = create_engine(
        db.engine.url,
        poolclass=NullPool,
        isolation_level="READ COMMITTED",
        connect_args=connect_args(unlimited),
    )
    # Only once it is connected: a frozen server never answers the handshake.
    event.listen(engine, "connect", lambda connection, _: _limit(connection, None))
    return engine


def limit_waits(session: Session, seconds: float) -> None:
    """Wait at most *seconds* for each further answer, until the session's connection goes back."""
    _limit(session.connection().connection.dbapi_connection, seconds)


def _url(settings: Settings, host: str, port: int) -> URL:
    account, query = (settings.db_user, settings.db_password), {"charset": "utf8mb4"}
    return URL.create("mysql+pymysql", *account, host, port, settings.db_name, query)


def _engine_options(settings: Settings, pool: str) -> dict[str, Any]:
    return {
        "poolclass": measured_pool(
            pool,
            holder=_holder,
            # A command may hold its connection for as long as it takes.
            leak_threshold=None if _command() else settings.pool_leak_threshold,
            leak_stacks=settings.pool_leak_stacks,
        ),
        "pool_size": settings.pool_size,
        "max_overflow": settings.pool_max_overflow,
        "pool_timeout": settings.pool_timeout,
        "pool_recycle": settings.pool_recycle,
        "pool_pre_ping": True,
        # Statements end at once when they are committed; the gap locks of the default level
        # would make bookings of neighbouring slots wait for each other.
        "isolation_level": "READ COMMITTED",
        "connect_args": connect_args(settings),
    }


def _holder() -> str | None:
    """Who borrows a connection: the rule of the request's URL, or the command."""
    try:
        rule = _current_request().url_rule
    except RuntimeError:  # there is none
        return _command()
    return rule.rule if rule else None


def _command() -> str | None:
    context = click.get_current_context(silent=True)
    return f"flask {context.info_name}" if context else None


def _deadlock(error: BaseException | None) -> DBAPIError | None:
    # A deadlock ends the whole transaction, and so its savepoints: where one is rolled back after
    # it, the server says that there is none, and the deadlock is the context of that error.
    while error is not None:
        if isinstance(error, DBAPIError) and error_code(error) == DEADLOCK:
            return error
        error = error.__context__
    return None


def error_code(error: BaseException) -> int | None:
    """The MySQL error number behind a SQLAlchemy error, where there is one."""
    arguments = getattr(getattr(error, "orig", None), "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def _session_settings(settings: Settings) -> str:
    # One statement, one round trip. MySQL runs the first kind of comment, MariaDB the second.
    limit = settings.db_max_execution_time
    return (
        f"SET SESSION time_zone = '+00:00', "
        f"innodb_lock_wait_timeout = {settings.db_lock_wait_timeout}"
        f"/*!80000 , max_execution_time = {int(limit * 1000)} */"
        f"/*M! , max_statement_time = {limit} */"
    )


def _bound_waits(engine: Engine, settings: Settings) -> None:
    # Statements may take the read timeout, the ping before them no longer than a connect: a frozen
    # server answers neither. The pool pings before its checkout event.
    def borrowed(connection: Any, *_: Any) -> None:
        _limit(connection, settings.db_read_timeout)

    def idle(connection: Any, _: Any) -> None:
        if connection is not None:
            _limit(connection, settings.db_connect_timeout)

    event.listen(engine, "checkout", borrowed)
    event.listen(engine, "checkin", idle)


def _present_password(settings: Settings) -> Callable[..., None]:
    # Not the one of the start: a password that is changed must not need a restart.
    def connecting(_: Any, __: Any, ___: Any, parameters: dict[str, Any]) -> None:
        parameters["password"] = settings.db_password

    return connecting


def _limit(connection: Any, seconds: float | None) -> None:
    connection._read_timeout = connection._write_timeout = seconds


def _leave_to_parent(engine: Engine) -> Callable[[], None]:
    def forget() -> None:
        # close=False: the sockets are the parent's, and closing them would end its sessions.
        engine.dispose(close=False)

    return forget
