"""What pending revisions would do, tried on empty copies of the tables.

The copies are in a schema of their own, ``<schema>_plan``. A table's definition decides how the
server can change it, hardly ever its rows, so the server's answers there are its answers here, and
a revision with one unsafe statement is refused before its first is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from migrations.guard.algorithm import Unsafe, asserted, safe_way
from migrations.guard.errors import GuardError
from migrations.guard.impl import Guard
from migrations.guard.journal import TABLES
from migrations.guard.statements import (
    VERSION_TABLE,
    Kind,
    adds_rows,
    breaks,
    compiled,
    kind,
    quoted,
    table,
)

MANY_ROWS = 10_000  # of which one statement makes everybody wait
# Bytes a second, measured under traffic: docs/migrations.md. Half of that is promised.
INDEX_SPEED, REBUILD_SPEED = 20e6, 5e6
INSTANT = 0.1  # seconds, two commits of the data dictionary included


class NoCopies(GuardError):  # noqa: N818
    """The account may not use the schema of the copies."""


@dataclass(frozen=True)
class Planned:
    """What one statement of a pending revision would do.

    Attributes:
        revision: its revision.
        direction: ``upgrade`` or ``downgrade``.
        statement: as it is written.
        table: the table that it changes.
        algorithm: the server's: INSTANT, INPLACE, DATA, or None where there is nothing to choose.
        seconds: how long it takes at most, from the size of the table; None where nobody knows.
        locks: who waits meanwhile.
        refusal: why it is not run; empty where it is.
        assurance: why it is run as it is written.
    """

    revision: str
    direction: str
    statement: str
    table: str | None
    algorithm: str | None = None
    seconds: float | None = None
    locks: str = ""
    refusal: str = ""
    assurance: str | None = None

    def __str__(self) -> str:
        if self.refusal:
            return f"refused: {self.refusal}"
        took = "for nobody knows how long" if self.seconds is None else f"≤ {self.seconds:.1f} s"
        assured = f"; assured: {self.assurance}" if self.assurance else ""
        return f"{self.algorithm or 'as it is'}, {took}; waits: {self.locks}{assured}"


@dataclass(frozen=True)
class Size:
    """How large a table is, as the server estimates it."""

    rows: int = 0
    bytes: int = 0


def plan(connection: Connection, engine: Engine, steps: Sequence[RevisionStep]) -> list[Planned]:
    """What *steps* would do to the schema of *connection*.

    Args:
        connection: of the account that migrates.
        engine: makes connections as the same account.
        steps: the pending revisions.

    Raises:
        NoCopies: the account may not use the schema of the copies.
    """
    sizes = _sizes(connection)
    found: list[Planned] = []
    with copies(connection, engine) as scratch:
        for step in steps:
            probe = Probe(scratch, step, sizes)
            context = MigrationContext.configure(connection=scratch, opts={"guard": probe})
            with Operations.context(context):
                step.migration_fn()
            scratch.commit()
            found += probe.found
    return found


class Probe(Guard):
    """Carries a revision out on the copies and writes down how it went."""

    def __init__(self, scratch: Connection, step: RevisionStep, sizes: dict[str, Size]) -> None:
        self.found: list[Planned] = []
        self._scratch = scratch
        self._step = step
        self._sizes = sizes
        self._contract = getattr(step.revision.module, "contract", None) or step.is_downgrade

    def execute(self, construct: Any, run: Callable[[Any], Any]) -> Any:
        """Try a statement on the copies."""
        sql = compiled(construct, self._scratch.dialect)
        if kind(sql) is Kind.DATA:
            rows = 0 if adds_rows(sql) else self._size(sql).rows
            many = f"it changes up to {rows:,} rows in one transaction, which others wait for"
            self._note(sql, "DATA", refusal=many if rows > MANY_ROWS else "", locks="its rows")
            return run(construct)
        broken = None if self._contract else breaks(sql, self._scratch)
        algorithm, refusal = None, ""
        try:
            algorithm = asserted(self._scratch, sql)
        except Unsafe as unsafe:
            refusal = str(unsafe)
            self._scratch.exec_driver_sql(sql)  # for the statements that come after it
        self._note(sql, algorithm, refusal=broken or refusal)
        return None

    def in_batches(self, sql: str, of: str, key: str, size: int) -> None:
        """Nothing is wrong with batches; there are no rows to try them on."""
        self._note(" ".join(sql.split()), "BATCHES", locks=f"{size} rows at a time")

    def forget_backfill(self, name: str) -> None:
        """The journal is not copied."""

    def _note(self, sql: str, algorithm: str | None, *, refusal: str = "", locks: str = "") -> None:
        assured = self.assurance is not None
        self.found.append(
            Planned(
                self._step.revision.revision,
                "upgrade" if self._step.is_upgrade else "downgrade",
                sql,
                table(sql),
                "COPY, perhaps" if assured and refusal else algorithm,
                self._seconds(sql, algorithm),
                locks or ("writes" if assured and refusal else "nobody, but for a moment"),
                "" if assured else refusal,
                self.assurance,
            )
        )

    def _seconds(self, sql: str, algorithm: str | None) -> float | None:
        if algorithm == "INPLACE":
            speed = INDEX_SPEED if kind(sql) is Kind.INDEX else REBUILD_SPEED
            return INSTANT + self._size(sql).bytes / speed
        return INSTANT if algorithm == "INSTANT" or self._size(sql).rows == 0 else None

    def _size(self, sql: str) -> Size:
        return self._sizes.get(table(sql) or "", Size())


def refuse(found: Iterable[Planned]) -> None:
    """Say no where a statement is refused.

    Raises:
        GuardError: with every such statement, why, and how to write it instead.
    """
    refused = [one for one in found if one.refusal]
    if not refused:
        return
    lines = ["Refused, before anything was changed:"]
    for one in refused:
        lines += [f"  revision {one.revision}: {one.statement}", f"    {one.refusal}.",
                  f"    Instead: {_instead(one)}"]  # fmt: skip
    lines.append(
        'What must be done all the same goes into `with guard.assured("why"):`, which is kept in '
        "the journal. See docs/migrations.md."
    )
    raise GuardError("\n".join(lines))


@contextmanager
def copies(connection: Connection, engine: Engine) -> Iterator[Connection]:
    """Empty copies of all tables, in a schema that is dropped at the end.

    Raises:
        NoCopies: the account may not do so.
    """
    name = f"{connection.scalar(text('SELECT DATABASE()'))}_plan"
    definitions = [
        connection.execute(text(f"SHOW CREATE TABLE {quoted(table)}")).one()[1]
        for table in _tables(connection)
    ]
    try:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted(name)}")
        connection.exec_driver_sql(f"CREATE DATABASE {quoted(name)}")
    except DBAPIError as error:
        raise NoCopies(
            f"The plan needs the schema {name} for empty copies of the tables: {error.orig}. "
            f"As an administrator: GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, "
            f"INDEX, REFERENCES ON `{name.replace('_', chr(92) + '_')}`.* TO this account."
        ) from None
    try:
        with engine.connect() as scratch:
            scratch.exec_driver_sql(f"USE {quoted(name)}")
            scratch.exec_driver_sql("SET SESSION foreign_key_checks = 0")
            for definition in definitions:
                scratch.exec_driver_sql(definition.replace("%", "%%"))
            scratch.exec_driver_sql("SET SESSION foreign_key_checks = 1")
            yield scratch
    finally:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted(name)}")


def has_tables(connection: Connection) -> bool:
    """Whether there is anything that a migration could do harm to."""
    return bool(_tables(connection))


def _tables(connection: Connection) -> list[str]:
    rows = connection.execute(
        text(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY table_name"
        )
    )
    return [name for (name,) in rows if name not in TABLES and name != VERSION_TABLE]


def _sizes(connection: Connection) -> dict[str, Size]:
    rows = connection.execute(
        text(
            "SELECT table_name, table_rows, data_length + index_length "
            "FROM information_schema.tables WHERE table_schema = DATABASE()"
        )
    )
    return {name: Size(int(rows or 0), int(size or 0)) for name, rows, size in rows}


def _instead(one: Planned) -> str:
    if one.algorithm == "DATA":
        return "guard.in_batches(...) in the revision, or a backfill: flask schema backfill."
    if "copy the table" in one.refusal and "ALGORITHM" not in one.statement.upper():
        return safe_way(one.statement)
    return (
        "expand first, and do this in a later revision that says why nothing uses the old any "
        "more, in its variable `contract`."
    )
