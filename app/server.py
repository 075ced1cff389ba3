"""gunicorn's configuration: ``gunicorn -c python:app.server 'app:create_app()'``.

Before any worker is forked, the settings, both addresses and the database are tried, so that what
cannot work ends in one message. Nothing that was opened for the trial is kept.
"""

from __future__ import annotations

import errno
import gc
import logging
import os
import shutil
import socket
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NoReturn

import pymysql
from gunicorn.glogging import Logger
from pydantic import Field

from app import metrics, owned
from app.addresses import listen
from app.database import budget, close_idle, connect_args
from app.logs import configure
from app.pool import Budget
from app.pool.slots import DIRECTORY_VARIABLE
from app.schema_state import SchemaCollector
from app.settings import Settings, SettingsError, variable

DATABASE_PATIENCE = 15.0  # seconds that the database may take to appear
METRICS_PREFIX = "clinic-metrics-"
ACCESS_DENIED = frozenset({1044, 1045, 1049})

log = logging.getLogger(__name__)


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr)  # noqa: T201
    sys.exit(1)


class ServerSettings(Settings):
    """The application's settings, with what commands can do without and a server cannot."""

    secret_key_file: Path = Field(description="File with the key that signs form tokens.")


def _settings() -> ServerSettings:
    try:
        return ServerSettings.load()
    except SettingsError as error:
        _fail(str(error))


class JsonLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger without handlers of its own: its lines go the way of all others."""

    def setup(self, cfg: Any) -> None:
        """Configure nothing but the application's logging."""
        configure(_known.log_level)
        self.error_log.propagate = True


_known = _settings()

bind = _known.bind
workers = _known.workers
threads = _known.threads
worker_class = "app.worker.Worker"
graceful_timeout = 20
keepalive = 5
logger_class = JsonLogger
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
control_socket_disable = True
proc_name = "clinic"

_listener: socket.socket | None = None
_budget: Budget | None = None


def on_starting(server: Any) -> None:
    """Try what the workers will need; then make the metrics directory and open its port.

    A killed server leaves its directory, which the next one removes.
    """
    global _listener, _budget
    _listen(_known.bind, "bind").close()
    _listener = _listen(_known.metrics_bind, "metrics_bind")
    _budget = budget(_known, _await_database())
    if not _budget.fits:
        log.warning(
            "The pools may open more connections than the server grants: %s. Lower %s, %s or %s, "
            "or raise the server's max_connections.",
            *(_budget, variable("workers"), variable("pool_size"), variable("pool_max_overflow")),
        )
    owned.remove_ownerless(METRICS_PREFIX)
    os.environ[DIRECTORY_VARIABLE] = str(owned.make_directory(METRICS_PREFIX))


def post_worker_init(worker: Any) -> None:
    """Answer for metrics in every worker."""
    if _listener is not None:
        nodes = [metrics.NodeCollector(_known.node)] if _known.node else []
        metrics.serve(_listener, _budget, SchemaCollector(_known), *nodes)


def worker_exit(server: Any, worker: Any) -> None:
    """Close what is open at the database, when the last request is answered."""
    app = getattr(worker, "wsgi", None)  # none where it did not come that far
    if app is not None:
        close_idle(app)
        _end_at_once()


def on_exit(server: Any) -> None:
    """Remove the metrics directory."""
    shutil.rmtree(os.environ.get(DIRECTORY_VARIABLE, ""), ignore_errors=True)
    _end_at_once()


def _end_at_once() -> None:
    """Let the interpreter end without looking at each object, which takes it most of a second."""
    gc.freeze()


def _listen(address: str, setting: str) -> socket.socket:
    try:
        return listen(address)
    except OSError as error:
        remedy = "Stop what uses it, or set" if error.errno == errno.EADDRINUSE else "Set"
        _fail(
            f"Cannot listen on {address}: {(error.strerror or str(error)).partition(' (')[0]}. "
            f"{remedy} {variable(setting)} to another HOST:PORT."
        )


def _await_database() -> int:
    """Wait until the database can be used; returns its ``max_connections``."""
    deadline = monotonic() + DATABASE_PATIENCE
    while True:
        try:
            return _max_connections()
        except pymysql.MySQLError as error:
            if error.args[0] in ACCESS_DENIED or monotonic() > deadline:
                _fail(
                    f"Cannot use the database {_known.db_name!r} on "
                    f"{_known.db_host}:{_known.db_port} as {_known.db_user!r}: "
                    f"{str(error.args[-1]).rstrip('.')}. "
                    f"Check that the server runs, {variable('db_host')}, {variable('db_port')} "
                    f"and the password in {_known.db_password_file}."
                )
        sleep(0.5)


def _max_connections() -> int:
    connection = pymysql.connect(
        host=_known.db_host,
        port=_known.db_port,
        user=_known.db_user,
        password=_known.db_password,
        database=_known.db_name,
        **connect_args(_known),
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@max_connections")
        ((count,),) = cursor.fetchall()
        return int(count)
