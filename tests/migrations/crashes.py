"""Migrations that are killed at a boundary between two of their statements."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count
from typing import Any

from sqlalchemy import Engine, event

from tests.migrations.migrated import Migrated

BASE = "base"


def killed_before(number: int, migrate: Callable[[], None]) -> str | None:
    """Run *migrate* in a child that is killed before its statement *number*, commits included.

    Returns: that statement; None when the migration ended before it came to it.

    Raises:
        AssertionError: the migration failed by itself.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _be_killed(number, migrate, writer)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        last = pipe.read()
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return last
    assert os.WEXITSTATUS(status) == 0, "the migration failed by itself"
    return None


def _be_killed(number: int, migrate: Callable[[], None], writer: int) -> None:
    numbers = count(1)

    def boundary(what: str) -> None:
        if next(numbers) == number:
            os.write(writer, what.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(*arguments: Any) -> None:
        boundary(arguments[2])

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", lambda _: boundary("COMMIT"))
    try:
        migrate()
    except BaseException:
        os._exit(1)
    os._exit(0)


def matrix(
    schema: Migrated, revision: str, before: str, numbers: range, direction: str
) -> dict[str, Any]:
    """Kill a revision's upgrade or downgrade at each boundary, run it again, and compare.

    *schema* is at *before* and *revision* in turn. Returns how many boundaries there were, and
    those after which the schema or Alembic's number was another one.
    """
    down = direction == "downgrade"
    origin, goal = (revision, before) if down else (before, revision)
    definitions = {}
    for one in (goal, origin):  # and so begins at the origin
        _go(schema, one)
        definitions[one] = schema.definition()
    wrong, boundaries = [], 0
    for number in numbers:
        last = killed_before(number, lambda: _go(schema, goal))
        if last is None:
            break
        boundaries += 1
        _go(schema, goal)
        if schema.definition() != definitions[goal] or (schema.revision() or BASE) != goal:
            wrong.append(last)
        _go(schema, origin)
    return {"boundaries": boundaries, "wrong": wrong}


def _go(schema: Migrated, revision: str) -> None:
    if revision == BASE:
        schema.downgrade(BASE)
    elif (schema.revision() or "") > revision:
        schema.downgrade(revision)
    elif schema.revision() != revision:
        schema.upgrade(revision)
