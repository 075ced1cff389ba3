"""The smallest application with a database: one query, and the connection goes back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from flask import Flask, Request, request
from sqlalchemy import URL, text

from benchmarks import setting
from benchmarks.pools import make_engine

BODY = b'{"answer":1}\n'

# As in app.database: an attribute of the proxy itself takes half a microsecond more.
_current_request: Callable[[], Request] = request._get_current_object  # type: ignore[attr-defined]


def create_app() -> Flask:
    """An application whose pool is of the variant that the environment names.

    The pool has a connection for each thread, so nobody waits for one.
    """
    app = Flask(__name__)
    engine = make_engine(
        os.environ[setting.VARIANT],
        database_url(os.environ),
        _route,
        pool_size=int(os.environ[setting.THREADS]),
        max_overflow=0,
    )
    statement = text("SELECT 1")

    @app.get("/")
    def one_query() -> dict[str, int]:
        with engine.connect() as connection:
            return {"answer": connection.execute(statement).scalar_one()}

    @app.get("/process")
    def process() -> str:
        return str(os.getpid())

    return app


def database_url(environment: Mapping[str, str]) -> URL:
    """Where ``PrivateDatabase.environment()`` says that the database is."""
    return URL.create(
        "mysql+pymysql",
        environment["CLINIC_DB_USER"],
        Path(environment["CLINIC_DB_PASSWORD_FILE"]).read_text().strip(),
        environment["CLINIC_DB_HOST"],
        int(environment["CLINIC_DB_PORT"]),
        environment["CLINIC_DB_NAME"],
    )


def _route() -> str | None:
    rule = _current_request().url_rule
    return rule.rule if rule else None
