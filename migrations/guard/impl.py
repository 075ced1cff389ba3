"""Alembic's way to MySQL, with the guard in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from alembic.ddl.mysql import MySQLImpl


class Guard(Protocol):
    """What stands between a revision and the database."""

    def execute(self, construct: Any, run: Callable[[Any], Any]) -> Any:
        """Carry out a statement."""

    def assured(self, reason: str) -> AbstractContextManager[None]:
        """Carry out what follows without asking whether it is safe."""

    def in_batches(self, sql: str, of: str, key: str, size: int) -> None:
        """Carry out a change of data, a range of keys at a time."""

    def forget_backfill(self, name: str) -> None:
        """Forget that a backfill was finished."""


class GuardedImpl(MySQLImpl):
    """Hands every statement to the context's ``guard``, where there is one.

    Alembic takes the class that was defined last for a dialect. MariaDB is reached by the same
    dialect here, since the URL says ``mysql``.
    """

    __dialect__ = "mysql"

    def _exec(
        self,
        construct: Any,
        execution_options: Mapping[str, Any] | None = None,
        multiparams: Sequence[Mapping[str, Any]] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        run = super()._exec
        guard: Guard | None = self.context_opts.get("guard")
        if guard is None or self.as_sql:
            return run(construct, execution_options, multiparams, params or {})
        return guard.execute(
            construct, lambda one: run(one, execution_options, multiparams, params or {})
        )
