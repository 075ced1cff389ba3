"""Faults on purpose, for scenarios: what exhausts a pool, one endpoint each.

Registered only where ``CLINIC_LAB_ENABLED`` is true. Seconds, depths and counts are bounded.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from time import sleep
from typing import Any

from flask import Flask
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate
from sqlalchemy import Connection, text

from app.database import db, transaction

blueprint = Blueprint("lab", __name__, url_prefix="/lab", description="Faults on purpose")

_leaked: list[Connection] = []


class SecondsQuery(Schema):
    """How long."""

    seconds = fields.Float(load_default=1.0, validate=validate.Range(0, 30))


class DepthQuery(Schema):
    """How many connections at once."""

    depth = fields.Integer(load_default=2, validate=validate.Range(1, 16))


class QueriesQuery(Schema):
    """How many statements."""

    queries = fields.Integer(load_default=50, validate=validate.Range(1, 1000))


def init_app(app: Flask) -> None:
    """Register the fault endpoints with *app*."""
    app.register_blueprint(blueprint)


@blueprint.get("/slow")
@blueprint.arguments(SecondsQuery, location="query")
def slow(query: dict[str, float]) -> dict[str, Any]:
    """A query that takes long: the connection works."""
    transaction(lambda session: session.execute(text("SELECT SLEEP(:seconds)"), query))
    return {"slept_in_database": query["seconds"]}


@blueprint.get("/hold")
@blueprint.arguments(SecondsQuery, location="query")
def hold(query: dict[str, float]) -> dict[str, Any]:
    """A connection held while nothing is asked of it, as around a call to another service."""
    with db.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        sleep(query["seconds"])
    return {"held_idle": query["seconds"]}


@blueprint.get("/nested")
@blueprint.arguments(DepthQuery, location="query")
def nested(query: dict[str, int]) -> dict[str, Any]:
    """Several connections held by one request, which can lock a pool up against itself."""
    with ExitStack() as stack:
        for _ in range(query["depth"]):
            stack.enter_context(db.engine.connect()).execute(text("SELECT 1"))
    return {"held_at_once": query["depth"]}


@blueprint.post("/leak")
def leak() -> dict[str, Any]:
    """A connection that is never returned. Each worker keeps its own."""
    _leaked.append(db.engine.connect())
    return {"leaked_by_this_worker": len(_leaked)}


@blueprint.post("/leak/release")
def release() -> dict[str, Any]:
    """Return what this worker leaked."""
    released = 0
    with suppress(IndexError):  # others may release too
        while True:
            _leaked.pop().close()
            released += 1
    return {"released_by_this_worker": released}


@blueprint.get("/chatty")
@blueprint.arguments(QueriesQuery, location="query")
def chatty(query: dict[str, int]) -> dict[str, Any]:
    """Many small statements where one would do."""

    def work(session: Any) -> int:
        return sum(session.scalar(text("SELECT 1")) for _ in range(query["queries"]))

    return {"statements": transaction(work)}
