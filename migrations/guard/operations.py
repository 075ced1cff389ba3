"""What revisions may ask of the guard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op

from migrations.guard.impl import Guard


@contextmanager
def assured(reason: str) -> Iterator[None]:
    """Run statements as they are written, without asking whether that is safe.

    Args:
        reason: why it is, for whoever reads the journal.

    Raises:
        ValueError: there is none.
    """
    if not reason.strip():
        raise ValueError("Say why it is safe; the reason is kept in the journal.")
    if guard := _guard():
        with guard.assured(reason):
            yield
    else:
        yield


def in_batches(sql: str, table: str, *, key: str = "id", size: int = 2000) -> None:
    """Change data a range of keys at a time, each in a short transaction.

    Args:
        sql: names the range as ``:first`` and ``:last``, both inclusive, and may be repeated
            without changing more: a killed migration begins again at the first range.
        table: the table whose keys are walked.
        key: its primary key, a number.
        size: rows of a range.
    """
    if guard := _guard():
        guard.in_batches(sql, table, key, size)
    else:
        op.execute(sql)  # is printed, with the names of the range


def forget_backfill(name: str) -> None:
    """Have a backfill begin anew after its column has gone and come back."""
    if guard := _guard():
        guard.forget_backfill(name)


def _guard() -> Guard | None:
    context = op.get_context()
    guard: Guard | None = None if context.as_sql else context.opts.get("guard")
    return guard
