"""One migration of a schema at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from migrations.guard.errors import GuardError

LONGEST_NAME = 64  # MySQL's, of a named lock


@contextmanager
def only_runner(connection: Connection, what: str, wait: float) -> Iterator[None]:
    """Hold the schema's lock for *what* on this connection; wait at most *wait* seconds for it.

    MySQL frees it with the session, so that no killed migration leaves it behind. It survives
    the commits that DDL makes. Heads must be read after it is held, hence the rollback: a snapshot
    from before would show the schema as it was.

    Raises:
        GuardError: somebody else holds it; the message says who.
    """
    name = _name(connection, what)
    got = connection.scalar(text("SELECT GET_LOCK(:name, :wait)"), {"name": name, "wait": wait})
    connection.rollback()
    if not got:
        raise GuardError(
            f"Another {what} runs on this schema and did not end within {wait:g} s"
            f"{_holder(connection, name)}. Nothing was changed. Try again when it has ended."
        )
    try:
        yield
    finally:
        if not connection.invalidated and not connection.closed:
            _release(connection, name)


def _release(connection: Connection, name: str) -> None:
    try:
        connection.rollback()
        connection.scalar(text("SELECT RELEASE_LOCK(:name)"), {"name": name})
        connection.rollback()
    except DBAPIError:
        connection.invalidate()  # the lock goes with the session


def _name(connection: Connection, what: str) -> str:
    name = f"{connection.scalar(text('SELECT DATABASE()'))}.{what}"
    connection.rollback()
    if len(name) <= LONGEST_NAME:
        return name
    return hashlib.sha256(name.encode()).hexdigest()


def _holder(connection: Connection, name: str) -> str:
    holder = connection.scalar(text("SELECT IS_USED_LOCK(:name)"), {"name": name})
    if holder is None:
        return ""
    row = connection.execute(
        text("SELECT user, host, time FROM information_schema.processlist WHERE id = :id"),
        {"id": holder},
    ).one_or_none()
    connection.rollback()
    who = f": {row[0]} from {row[1]}" if row else ""
    return f" (connection {holder}{who})"
