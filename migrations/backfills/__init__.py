"""The backfills: what each fills in, by its name."""

from __future__ import annotations

from sqlalchemy import Connection

from migrations.backfills import phone_e164
from migrations.guard import GuardError
from migrations.guard.backfill import FINISHED, Filling
from migrations.guard.plan import MANY_ROWS

BACKFILLS = {one.name: one for one in (phone_e164.BACKFILL,)}


def demand(connection: Connection, name: str) -> None:
    """Make sure that a backfill is finished and still right; one of a small table is run.

    Raises:
        GuardError: it is not finished.
    """
    filling = Filling(connection, BACKFILLS[name])
    progress = filling.progress()
    if progress.state != FINISHED and progress.last > MANY_ROWS:
        raise GuardError(
            f"The backfill {name} is {progress.state}, at row {progress.position:,} of "
            f"{progress.last:,}, and the next revision needs it. First: flask schema backfill "
            f"{name}. That revision was not begun."
        )
    filling.mend(MANY_ROWS // 10)
