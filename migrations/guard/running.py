"""What ``env.py`` does: the guard around Alembic's own run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep, StampStep
from sqlalchemy import Connection, Engine, text, update

from migrations.guard import impl, journal, plan
from migrations.guard.errors import GuardError
from migrations.guard.execution import Execution
from migrations.guard.limits import Limits
from migrations.guard.runner_lock import only_runner

Step = RevisionStep | StampStep
Steps = Callable[..., Iterable[Step]]
Demand = Callable[[Connection, str], None]

MIGRATION = "migration"
__all__ = ["impl", "run"]

log = structlog.get_logger(__name__)


def run(
    context: EnvironmentContext, engine: Engine, options: Mapping[str, Any], demand: Demand
) -> None:
    """Run the command for which Alembic has made *context*.

    Args:
        context: Alembic's, of ``flask db upgrade``, ``current``, ``check`` and so on.
        engine: makes connections that may take as long as a statement takes.
        options: for ``context.configure``.
        demand: raises GuardError when a backfill, by its name, is not finished.

    Raises:
        GuardError: nothing was changed, or the journal knows what was; the message says which.
    """
    limits = Limits.given(context.get_x_argument(as_dictionary=True))
    with engine.connect() as connection:
        if not _changes_schema(context):
            context.configure(connection=connection, **options)
            context.run_migrations()
            return
        with only_runner(connection, MIGRATION, limits.runner_wait):
            _migrate(context, connection, engine, options, limits, demand)


def _migrate(
    context: EnvironmentContext,
    connection: Connection,
    engine: Engine,
    options: Mapping[str, Any],
    limits: Limits,
    demand: Demand,
) -> None:
    connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {limits.lock_wait}")
    context.configure(connection=connection, **options)
    steps: Steps = context.get_context().opts["fn"]
    pending = list(steps(context.get_context().get_current_heads(), context.get_context()))
    execution = Execution(connection, limits)

    def apply(wanted: list[Step]) -> None:
        connection.rollback()  # in a transaction of somebody else's, Alembic would not commit
        context.configure(
            connection=connection,
            **options,
            fn=lambda *_: _announced(wanted, execution, connection, demand),
            guard=execution,
            on_version_apply=execution.finish,
        )
        context.run_migrations()

    if pending:
        journal.create(connection)
    if pending and isinstance(pending[0], StampStep):
        _believe(connection)
    elif pending and (half := journal.unfinished(connection)):
        _expect(half, pending[0])
        apply(pending[:1])  # tried before it was begun; half of it cannot be copied
        pending = pending[1:]
    revisions = [step for step in pending if isinstance(step, RevisionStep)]
    if revisions:
        _check(connection, engine, revisions)
    apply(pending)


def _expect(half: journal.Unfinished, step: Step) -> None:
    if (half.revision, half.direction) != _of(step):
        raise GuardError(
            f"{half}. Finish that first: flask db {half.direction}. Nothing was changed."
        )


def _check(connection: Connection, engine: Engine, pending: list[RevisionStep]) -> None:
    if plan.has_tables(connection):
        try:
            plan.refuse(plan.plan(connection, engine, pending))
        except plan.NoCopies as error:
            log.warning("nothing is tried before; each statement still is", why=str(error))


def _announced(
    steps: list[Step], execution: Execution, connection: Connection, demand: Demand
) -> Iterable[Step]:
    for step in steps:
        if isinstance(step, RevisionStep):
            module = step.revision.module
            if step.is_upgrade:
                for name in getattr(module, "needs_backfills", ()):
                    demand(connection, name)
            contract = step.is_downgrade or bool(getattr(module, "contract", None))
            execution.begin(*_of(step), contract=contract)
        yield step


def _of(step: Step) -> tuple[str, str]:
    revision: str = step.revision.revision  # type: ignore[union-attr]
    return revision, "upgrade" if step.is_upgrade else "downgrade"


def _believe(connection: Connection) -> None:
    """A person says where the schema is: nothing is half applied any more."""
    query = update(journal.changes).where(journal.changes.c.finished_at.is_(None))
    connection.execute(query.values(finished_at=text("CURRENT_TIMESTAMP(6)")))
    connection.commit()


def _changes_schema(context: EnvironmentContext) -> bool:
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    return True
