"""Fills new columns of existing rows while everybody works: in batches, resumable, at a pace."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, column, delete, func, insert, select, text, update
from sqlalchemy import table as table_of
from sqlalchemy.dialects.mysql import insert as upsert

from migrations.guard.errors import GuardError
from migrations.guard.journal import backfills, refusals
from migrations.guard.pace import Pace
from migrations.guard.statements import quoted

AnyRow = Row[*tuple[Any, ...]]

RUNNING, PAUSED, FINISHED = "running", "paused", "finished"
_now = text("CURRENT_TIMESTAMP(6)")


@dataclass(frozen=True)
class Refusal:
    """Why nothing can be written for a row. The row stays as it is and is reported."""

    reason: str


Computed = dict[str, Any] | Refusal | None  # what to write; None: it is right already


@dataclass(frozen=True)
class Backfill:
    """What is filled in, from what.

    Attributes:
        name: as people call it.
        table: whose rows.
        columns: those that are read, found on a connection: they may be called otherwise before
            and after a contraction.
        compute: what to write for a row of key and columns.
        suspects: a condition that holds for every row that may be wrong, and for few others; it
            is looked for again before a contraction. The columns are {0}, {1} ... in it.
        key: the primary key, a number.
    """

    name: str
    table: str
    columns: Callable[[Connection], Sequence[str]]
    compute: Callable[[AnyRow], Computed]
    suspects: str
    key: str = "id"


@dataclass
class Progress:
    """How far a backfill is: keys up to *position* of *last*, and what became of the rows."""

    position: int = 0
    last: int = 0
    read: int = 0
    changed: int = 0
    refused: int = 0
    refusals: list[tuple[int, str]] = field(default_factory=list)
    state: str = RUNNING


class Filling:
    """One backfill at work on *connection*, which it commits."""

    def __init__(self, connection: Connection, backfill: Backfill) -> None:
        self._connection = connection
        self._backfill = backfill
        names = tuple(backfill.columns(connection))
        self._table = table_of(backfill.table, *map(column, (backfill.key, *names)))
        self._key = self._table.c[backfill.key]
        self._columns = [self._table.c[name] for name in names]
        self._suspect = text(backfill.suspects.format(*names))

    def begin(self, *, again: bool) -> Progress:
        """Begin, or go on where it was; *again* begins at the first row."""
        found = self._stored()
        if found is None or again:
            name = self._backfill.name
            forget(self._connection, name)
            self._connection.execute(insert(backfills).values(name=name, state=RUNNING))
        elif found.state != FINISHED:
            self._set(state=RUNNING)
        self._connection.commit()
        return self.progress()

    def progress(self) -> Progress:
        """How far it is."""
        found = self._stored()
        name = refusals.c.name == self._backfill.name
        refused = select(func.count()).select_from(refusals).where(name)
        last = self._connection.scalar(select(func.max(self._key))) or 0
        count = self._connection.scalar(refused) or 0
        self._connection.rollback()
        if found is None:
            return Progress(last=last, state="not begun")
        return Progress(
            found.position, last, found.rows_read, found.rows_changed, count, state=found.state
        )

    def run(self, pace: Pace, shown: Callable[[Progress, str], None]) -> Progress:
        """Fill row after row until none is left, or somebody pauses it."""
        progress = self.progress()
        while progress.state == RUNNING:
            worked = self._batch(progress, pace.size)
            shown(progress, pace.exceeded)
            if progress.state == RUNNING:
                pace.after(worked, time.sleep)
                progress.state = self._state()
        return self.progress()

    def try_out(self, size: int, shown: Callable[[Progress, str], None]) -> Progress:
        """Compute all rows and write nothing."""
        progress = self.progress()
        progress.position = progress.read = progress.changed = progress.refused = 0
        while rows := self._rows(progress.position, size):
            wanted, refused = self._compute(rows)
            progress.read += len(rows)
            progress.changed += len(wanted)
            progress.refused += len(refused)
            progress.refusals += refused.items()
            progress.position = rows[-1][0]
            shown(progress, "")
        return progress

    def mend(self, size: int) -> int:
        """Look again at the rows that may be wrong; how many were."""
        changed, after = 0, 0
        while rows := self._rows(after, size, self._suspect):
            wanted, refused = self._compute(rows)
            changed += self._write(wanted, {row[0]: row for row in rows})
            self._refuse(refused)
            self._connection.commit()
            after = rows[-1][0]
        return changed

    def _batch(self, progress: Progress, size: int) -> float:
        """Do one; return the seconds for which the database worked."""
        began = time.monotonic()
        rows = self._rows(progress.position, size)
        reading = time.monotonic() - began
        wanted, refused = self._compute(rows)
        # The journal is written in the rows' own transaction: both are there after a kill, or none.
        began = time.monotonic()
        progress.changed += self._write(wanted, {row[0]: row for row in rows})
        self._refuse(refused)
        progress.read += len(rows)
        progress.refused += len(refused)
        if rows:
            progress.position = rows[-1][0]
            progress.last = max(progress.last, progress.position)
            self._set(
                position=progress.position,
                rows_read=progress.read,
                rows_changed=progress.changed,
                updated_at=_now,
            )
        else:
            progress.state = FINISHED
            self._set(state=FINISHED, updated_at=_now, finished_at=_now)
        self._connection.commit()
        return reading + time.monotonic() - began

    def _rows(self, after: int, size: int, condition: Any = None) -> Sequence[AnyRow]:
        query = select(self._key, *self._columns).where(self._key > after)
        if condition is not None:
            query = query.where(condition)
        rows = self._connection.execute(query.order_by(self._key).limit(size)).all()
        self._connection.rollback()  # no lock and no snapshot while it computes
        return rows

    def _compute(self, rows: Sequence[AnyRow]) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
        wanted, refused = {}, {}
        for row in rows:
            found = self._backfill.compute(row)
            if isinstance(found, Refusal):
                refused[row[0]] = found.reason
            elif found is not None:
                wanted[row[0]] = found
        return wanted, refused

    def _write(self, wanted: dict[int, dict[str, Any]], read: dict[int, AnyRow]) -> int:
        """Write to the rows that are still as they were read; the others were written meanwhile."""
        if not wanted:
            return 0
        query = select(self._key, *self._columns).where(self._key.in_(wanted))
        locked = self._connection.execute(query.with_for_update()).all()
        same = [row[0] for row in locked if tuple(row) == tuple(read[row[0]])]
        by_values: dict[str, dict[int, Any]] = {}
        for key in same:
            for name, value in wanted[key].items():
                by_values.setdefault(name, {})[key] = value
        for name, values in by_values.items():
            self._connection.exec_driver_sql(self._change(name), (_json(values),))
        return len(same)

    def _change(self, name: str) -> str:
        # One statement, as rows are locked until it is done. The values come as a table: a CASE is
        # searched from its start for every row.
        table, key = quoted(self._backfill.table), quoted(self._backfill.key)
        return (
            f"UPDATE JSON_TABLE(%s, '$[*]' COLUMNS ("  # noqa: S608
            "row_key BIGINT PATH '$[0]' ERROR ON ERROR, "
            "value VARCHAR(1000) PATH '$[1]' ERROR ON ERROR)) AS filled "
            f"STRAIGHT_JOIN {table} ON {table}.{key} = filled.row_key "
            f"SET {table}.{quoted(name)} = filled.value"
        )

    def _refuse(self, refused: dict[int, str]) -> None:
        for key, reason in refused.items():
            row = upsert(refusals).values(
                name=self._backfill.name, row_key=key, reason=reason[:200]
            )
            self._connection.execute(row.on_duplicate_key_update(reason=row.inserted.reason))

    def _set(self, **values: Any) -> None:
        found = backfills.c.name == self._backfill.name
        self._connection.execute(update(backfills).where(found).values(values))

    def _state(self) -> str:
        found = select(backfills.c.state).where(backfills.c.name == self._backfill.name)
        state: str = self._connection.scalar(found) or PAUSED  # forgotten by a downgrade
        self._connection.rollback()
        return state

    def _stored(self) -> AnyRow | None:
        query = select(backfills).where(backfills.c.name == self._backfill.name)
        return self._connection.execute(query).one_or_none()


def _json(values: dict[int, Any]) -> str:
    return json.dumps(list(values.items()), default=str)


def forget(connection: Connection, name: str) -> None:
    """Forget a backfill: what it had filled in is gone."""
    connection.execute(delete(backfills).where(backfills.c.name == name))
    connection.execute(delete(refusals).where(refusals.c.name == name))


def pause(connection: Connection, name: str) -> None:
    """Have a running backfill stop after its batch.

    Raises:
        GuardError: it does not run.
    """
    found = (backfills.c.name == name, backfills.c.state == RUNNING)
    done = connection.execute(update(backfills).where(*found).values(state=PAUSED))
    connection.commit()
    if not done.rowcount:
        raise GuardError(f"The backfill {name} does not run, so it cannot be paused.")


def refused(connection: Connection, name: str) -> Sequence[AnyRow]:
    """The rows that a backfill could write nothing for: key and reason."""
    query = select(refusals.c.row_key, refusals.c.reason).where(refusals.c.name == name)
    return connection.execute(query.order_by(refusals.c.row_key)).all()
