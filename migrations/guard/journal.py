"""What of which revision has been applied, written down beside the schema itself.

MySQL commits each DDL statement by itself, so a migration that is killed between two leaves half
a revision that Alembic knows nothing of. The journal does: a statement is written down as begun
before it, and as done after it. What was begun and not done may have been applied or not; it is run
again, and the server's answer that the thing is there already tells which.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects.mysql import DATETIME

from migrations.guard.errors import GuardError

metadata = MetaData()
_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_unicode_520_ci",
}
_Moment = DateTime().with_variant(DATETIME(fsp=6), "mysql")
_now = text("CURRENT_TIMESTAMP(6)")

changes = Table(
    "schema_change",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("revision", String(64), nullable=False),
    Column("direction", String(10), nullable=False),
    Column("started_at", _Moment, nullable=False, server_default=_now),
    Column("finished_at", _Moment),
    **_OPTIONS,
)
statements = Table(
    "schema_statement",
    metadata,
    Column("change_id", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("statement", Text, nullable=False),
    Column("algorithm", String(20)),
    Column("reason", String(500)),  # of an assurance, which is what lets it pass
    Column("started_at", _Moment, nullable=False, server_default=_now),
    Column("finished_at", _Moment),
    Column("tries", Integer, nullable=False, server_default=text("1")),
    **_OPTIONS,
)
backfills = Table(
    "schema_backfill",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("state", String(10), nullable=False),  # running, paused or finished
    Column("position", BigInteger, nullable=False, server_default=text("0")),  # last key done
    Column("rows_read", BigInteger, nullable=False, server_default=text("0")),
    Column("rows_changed", BigInteger, nullable=False, server_default=text("0")),
    Column("started_at", _Moment, nullable=False, server_default=_now),
    Column("updated_at", _Moment, nullable=False, server_default=_now),
    Column("finished_at", _Moment),
    **_OPTIONS,
)
refusals = Table(
    "schema_backfill_refusal",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("row_key", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", String(200), nullable=False),
    **_OPTIONS,
)
TABLES = frozenset(metadata.tables)


@dataclass(frozen=True)
class Entry:
    """A statement in the journal: *done*, or begun and perhaps applied."""

    ordinal: int
    digest: str
    statement: str
    done: bool


@dataclass(frozen=True)
class Unfinished:
    """A revision that was begun and not finished."""

    id: int
    revision: str
    direction: str
    done: int

    def __str__(self) -> str:
        return f"{self.direction} {self.revision} is half applied, {self.done} statements of it"


class Journal:
    """The journal of one revision's run on *connection*, in the same session as the run itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._change = 0
        self._ordinal = 0
        self._known: dict[int, Entry] = {}

    def begin(self, revision: str, direction: str) -> None:
        """Begin a revision, or go on with it where it was interrupted."""
        found = unfinished(self._connection)
        self._ordinal, self._known = 0, {}
        if found and (found.revision, found.direction) == (revision, direction):
            self._change = found.id
            query = select(statements).where(statements.c.change_id == found.id)
            for row in self._connection.execute(query):
                done = row.finished_at is not None
                self._known[row.ordinal] = Entry(row.ordinal, row.digest, row.statement, done)
            return
        values = {"revision": revision, "direction": direction}
        key = self._connection.execute(insert(changes).values(values)).inserted_primary_key
        self._change = key[0] if key else 0
        commit(self._connection)

    def next(self, sql: str) -> Entry:
        """The next statement of the revision, as the journal knows it; begun from now on.

        Raises:
            GuardError: the revision's file says something else than when it was begun.
        """
        self._ordinal += 1
        known = self._known.get(self._ordinal)
        digest = hashlib.sha256(sql.encode()).hexdigest()
        if known is None:
            entry = Entry(self._ordinal, digest, sql, done=False)
            values = {"change_id": self._change, "ordinal": self._ordinal}
            self._connection.execute(
                insert(statements).values(**values, digest=digest, statement=sql)
            )
            commit(self._connection)
            return entry
        if known.digest != digest:
            raise GuardError(
                f"Statement {self._ordinal} of this revision was begun as\n  {known.statement}\n"
                f"and its file now says\n  {sql}\n"
                "Put back what was begun, finish the upgrade, and write the rest as a new revision."
            )
        return known

    @property
    def begun_before(self) -> bool:
        """Whether an earlier run began the current statement and may have applied it."""
        return self._ordinal in self._known

    def done(self, algorithm: str | None, reason: str | None, tries: int) -> None:
        """The current statement is applied; committed together with it where it changed data."""
        found = (statements.c.change_id == self._change, statements.c.ordinal == self._ordinal)
        values = {"algorithm": algorithm, "reason": reason, "tries": tries, "finished_at": _now}
        self._connection.execute(update(statements).where(*found).values(values))
        commit(self._connection)

    def withdraw(self) -> None:
        """The current statement was refused: nothing of it is applied, and its file may change."""
        self._connection.exec_driver_sql("ROLLBACK")
        found = (statements.c.change_id == self._change, statements.c.ordinal == self._ordinal)
        self._connection.execute(delete(statements).where(*found))
        if self._ordinal == 1:
            self._connection.execute(delete(changes).where(changes.c.id == self._change))
        commit(self._connection)

    def finish(self) -> None:
        """The revision is applied. Part of the transaction that writes its number."""
        query = update(changes).where(changes.c.id == self._change)
        self._connection.execute(query.values(finished_at=_now))


def create(connection: Connection) -> None:
    """Make the journal's tables where they are missing."""
    metadata.create_all(connection)
    connection.commit()


def exists(connection: Connection) -> bool:
    """Whether there is a journal."""
    return bool(inspect(connection).has_table(changes.name))


def unfinished(connection: Connection) -> Unfinished | None:
    """The revision that was begun last and not finished, or None."""
    query = select(changes).where(changes.c.finished_at.is_(None)).order_by(changes.c.id.desc())
    row = connection.execute(query.limit(1)).one_or_none()
    if row is None:
        return None
    count = select(func.count()).where(
        statements.c.change_id == row.id, statements.c.finished_at.is_not(None)
    )
    return Unfinished(row.id, row.revision, row.direction, connection.scalar(count) or 0)


def commit(connection: Connection) -> None:
    """Commit on the server, within what SQLAlchemy and Alembic take for one transaction.

    DDL does so anyway; here, what is in the journal must not wait for it.
    """
    connection.exec_driver_sql("COMMIT")
