"""What the journal tells people: changes of late, and how far backfills are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from migrations.guard.backfill import Backfill, Filling, Progress
from migrations.guard.errors import GuardError
from migrations.guard.journal import changes as change
from migrations.guard.journal import statements


@dataclass(frozen=True)
class Change:
    """A revision that was applied or taken back; times in UTC."""

    revision: str
    direction: str
    started_at: datetime
    finished_at: datetime | None
    statements: int
    assured: str | None

    def __str__(self) -> str:
        took = "not finished"
        if self.finished_at:
            took = f"{(self.finished_at - self.started_at).total_seconds():.2f} s"
        assured = f", assured: {self.assured}" if self.assured else ""
        return (
            f"{self.started_at:%Y-%m-%d %H:%M:%S} {self.direction} {self.revision}: "
            f"{self.statements} statements, {took}{assured}"
        )


def changes(connection: Connection, last: int) -> Sequence[Change]:
    """The *last* changes, the latest first."""
    query = (
        select(
            change.c.revision,
            change.c.direction,
            change.c.started_at,
            change.c.finished_at,
            func.count(statements.c.ordinal),
            func.max(statements.c.reason),
        )
        .outerjoin(statements, statements.c.change_id == change.c.id)
        .group_by(change.c.id)
        .order_by(change.c.id.desc())
        .limit(last)
    )
    return [Change(*row) for row in connection.execute(query)]


def backfill(connection: Connection, of: Backfill) -> Progress:
    """How far a backfill is; ``not begun`` also where its column does not exist yet."""
    try:
        return Filling(connection, of).progress()
    except GuardError:
        return Progress(state="not begun")
