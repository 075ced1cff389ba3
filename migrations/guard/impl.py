"""Alembic's way to MySQL, with the guard in between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from alembic.ddl.mysql import MySQLImpl


class Guard(ABC):
    """What stands between a revision and the database."""

    assurance: str | None = None
    """Why what is carried out now passes without being asked whether it is safe."""

    @contextmanager
    def assured(self, reason: str) -> Iterator[None]:
        """Carry out what follows as it is written, and keep the reason."""
        self.assurance = reason
        try:
            yield
        finally:
            self.assurance = None

    @abstractmethod
    def execute(self, construct: Any, run: Callable[[Any], Any]) -> Any:
        """Carry out a statement."""

    @abstractmethod
    def in_batches(self, sql: str, of: str, key: str, size: int) -> None:
        """Carry out a change of data, a range of keys at a time."""

    @abstractmethod
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
