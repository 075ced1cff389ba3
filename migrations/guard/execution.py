"""Runs the statements of revisions: journalled, gently, and never waiting for long."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migrations.guard import backfill, batches, journal
from migrations.guard.algorithm import Unsafe, asserted, code, safe_way
from migrations.guard.blockers import Blocker, blockers, told
from migrations.guard.errors import GuardError
from migrations.guard.impl import Guard
from migrations.guard.limits import Limits
from migrations.guard.statements import Kind, breaks, compiled, keeps_versions, kind, table

LOCK_WAIT_TIMEOUT, DEADLOCK = 1205, 1213
# There already, or gone already: table, column, key, constraint, check, index.
ALREADY = frozenset({1050, 1051, 1054, 1060, 1061, 1091, 1146, 1826, 3821, 3822, 3940})
LONG_HELD = 1.0  # seconds; who has held a lock for so long will probably not let go in time
PAUSES = (0.5, 1.5)  # seconds between two attempts; different ones, so as not to meet a rhythm

Run = Callable[[Any], Any]

log = structlog.get_logger(__name__)


class Execution(Guard):
    """Runs the statements of one revision after the other on *connection*."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._journal = journal.Journal(connection)
        self._contract = False

    def begin(self, revision: str, direction: str, *, contract: bool) -> None:
        """Begin a revision, or go on with it; a *contract* may break releases of before."""
        self._contract = contract
        self._journal.begin(revision, direction)

    def finish(self, *_: Any, **__: Any) -> None:
        """End the revision, in the transaction in which Alembic writes its number."""
        self._journal.finish()

    def execute(self, construct: Any, run: Run) -> Any:
        """Carry a statement out, unless it was applied before; *run* executes what it is given.

        Raises:
            GuardError: it is not safe, or its lock was not to be had.
        """
        sql = compiled(construct, self._connection.dialect)
        if keeps_versions(sql):
            return run(construct)
        entry = self._journal.next(sql)
        if entry.done:
            log.info("applied before", statement=sql)
            return None
        began = time.monotonic()
        try:
            if kind(sql) is Kind.DATA:
                answer = run(construct)
                self._journal.done(None, self.assurance, 1)
                return answer
            algorithm, tries = self._change(construct, sql, run)
        except (DBAPIError, GuardError) as error:
            if not (isinstance(error, DBAPIError) and error.connection_invalidated):
                self._journal.withdraw()
            raise
        self._journal.done(algorithm, self.assurance, tries)
        log.info(
            "applied", statement=sql, algorithm=algorithm, assured=self.assurance, tries=tries,
            seconds=round(time.monotonic() - began, 3),
        )  # fmt: skip
        return None

    def in_batches(self, sql: str, of: str, key: str, size: int) -> None:
        """Carry out a change of data that may be repeated, a range of keys at a time."""
        if self._journal.next(sql).done:
            log.info("applied before", statement=sql)
            return
        batches.run(self._connection, sql, of, key, size)
        self._journal.done(None, self.assurance, 1)

    def forget_backfill(self, name: str) -> None:
        """Forget a backfill, whose column goes."""
        backfill.forget(self._connection, name)

    def _change(self, construct: Any, sql: str, run: Run) -> tuple[str | None, int]:
        """Apply DDL; the algorithm, and how many attempts it took to get the lock."""
        holders: list[Blocker] | None = None
        for attempt in range(1, self._limits.lock_tries + 1):
            # Whoever waits for the lock makes everybody wait behind: do not even begin in vain.
            holders = self._blockers(sql, LONG_HELD)
            if not holders:
                try:
                    return self._attempt(construct, sql, run), attempt
                except DBAPIError as error:
                    if code(error) in ALREADY and self._journal.begun_before:
                        log.info("was applied when the run before ended", statement=sql)
                        return None, attempt
                    if code(error) not in (LOCK_WAIT_TIMEOUT, DEADLOCK):
                        raise
                    holders = self._blockers(sql)
            log.warning("its lock is taken", statement=sql, attempt=attempt, why=told(holders))
            # Back off: a lock that somebody else holds tells nobody when it is free.
            time.sleep(random.uniform(*PAUSES))  # noqa: S311
        raise GuardError(
            f"The lock of {table(sql)} was not to be had in {self._limits.lock_tries} attempts of "
            f"{self._limits.lock_wait} s, for: {sql}\nIt is {told(holders)}.\nThis statement has "
            "changed nothing, and what was applied before it is in the journal. End that "
            "session or wait until it has ended, and run the same command again."
        )

    def _attempt(self, construct: Any, sql: str, run: Run) -> str | None:
        if self.assurance is not None:
            run(construct)
            return None
        if not self._contract and (reason := breaks(sql, self._connection)):
            raise GuardError(f"Refused: {sql}: {reason}, and its revision is no `contract`.")
        try:
            return asserted(self._connection, sql)
        except Unsafe as unsafe:
            raise GuardError(f"Refused: {sql}: {unsafe}. Instead: {safe_way(sql)}") from None

    def _blockers(self, sql: str, seconds: float = 0.0) -> list[Blocker] | None:
        name = table(sql)
        return blockers(self._connection, name, seconds) if name else []
