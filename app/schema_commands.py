"""``flask schema``: what migrations would do and have done, and the backfills between them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import click
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from flask import current_app
from flask.cli import with_appcontext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from app.database import migration_engine
from migrations.backfills import BACKFILLS
from migrations.guard import GuardError, backfill, history, journal, pace
from migrations.guard import plan as planning
from migrations.guard.runner_lock import only_runner
from migrations.guard.running import MIGRATION

PATIENCE = 10  # seconds for a migration that runs
BATCH = 1000  # rows, where nothing is written


def _told(command: Callable[..., None]) -> Callable[..., None]:
    """Have what went wrong told to people, with exit code 1."""

    @with_appcontext
    @functools.wraps(command)
    def told(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except GuardError as error:
            raise click.ClickException(str(error)) from None
        except OperationalError as error:
            raise click.ClickException(f"Cannot use the database: {error.orig}") from None

    return cast(Callable[..., None], told)


@click.group()
def schema() -> None:
    """Plan and watch schema changes, and run their backfills."""


@schema.command()
@_told
def plan() -> None:
    """Say how the server would carry out each pending statement, and who would wait.

    It is tried on empty copies of the tables. Exits with 1 where a statement is refused.
    """
    console = _console()
    with _connected() as (connection, engine):
        with only_runner(connection, MIGRATION, PATIENCE):
            steps = _pending(connection)
            planned = planning.plan(connection, engine, steps) if steps else []
        if not steps:
            console.print("Nothing is pending.")
        for step in steps:
            _print_step(console, connection, step, planned)
    if any(one.refusal for one in planned):
        raise click.exceptions.Exit(1)


@schema.command()
@_told
def status() -> None:
    """Say where the schema is, what was done last, and how far backfills are."""
    console = _console()
    with _connected() as (connection, _):
        heads = MigrationContext.configure(connection).get_current_heads()
        console.print(
            f"Revision: {', '.join(heads) or 'none'}; head: {_scripts().get_current_head()}"
        )
        if not journal.exists(connection):
            console.print("There is no journal yet; the next upgrade makes it.")
            return
        if half := journal.unfinished(connection):
            console.print(f"{half}: flask db {half.direction} goes on with it.", style="red")
        for change in history.changes(connection, last=10):
            console.print(str(change))
        for one in BACKFILLS.values():
            console.print(_backfill_line(one.name, history.backfill(connection, one)))


@schema.command("backfill")
@click.argument("name", type=click.Choice(sorted(BACKFILLS)))
@click.option("--dry-run", is_flag=True, help="Compute all rows and write nothing.")
@click.option("--again", is_flag=True, help="Begin at the first row, also when it is finished.")
@click.option("--pause", is_flag=True, help="Have the one that runs stop after its batch.")
@click.option("--refused", is_flag=True, help="List the rows that nothing could be written for.")
@click.option(
    "--metrics", "urls", multiple=True, metavar="URL",
    help="The application's metrics; may be repeated. Without, only the server is watched.",
)  # fmt: skip
@click.option(
    "--threads-running", type=click.IntRange(1), default=pace.Limits.threads_running,
    show_default=True, help="Go slower when more run on the server.",
)  # fmt: skip
@click.option(
    "--p99", type=click.FloatRange(0, min_open=True), default=pace.Limits.p99,
    show_default=True, help="Go slower when requests take longer, s.",
)  # fmt: skip
@_told
def backfill_rows(
    name: str,
    *,
    dry_run: bool,
    again: bool,
    pause: bool,
    refused: bool,
    urls: Sequence[str],
    threads_running: int,
    p99: float,
) -> None:
    """Fill a new column of rows that were there before it, while everybody works.

    In batches by primary key, at a pace that nobody notices. Ctrl-C or a kill loses nothing: the
    same command goes on where it was.
    """
    console = _console()
    with _connected() as (connection, _):
        journal.create(connection)
        if pause:
            backfill.pause(connection, name)
            console.print(
                f"{name} stops after its batch; the same command without --pause goes on."
            )
        elif refused:
            for row in backfill.refused(connection, name):
                console.print(f"{BACKFILLS[name].table} {row.row_key}: {row.reason}")
        elif dry_run:
            with _bar(console) as shown:
                found = backfill.Filling(connection, BACKFILLS[name]).try_out(BATCH, shown)
            _tell_dry_run(console, name, found)
        else:
            limits = pace.Limits(threads_running=threads_running, p99=p99)
            with only_runner(connection, f"backfill {name}", 0):
                _fill(console, connection, name, pace.Pace(connection, limits, urls), again=again)


def _fill(
    console: Console, connection: Connection, name: str, wanted: pace.Pace, *, again: bool
) -> None:
    filling = backfill.Filling(connection, BACKFILLS[name])
    progress = filling.begin(again=again)
    if progress.state == backfill.RUNNING:
        try:
            with _bar(console) as shown:
                progress = filling.run(wanted, shown)
        except KeyboardInterrupt:
            connection.rollback()
            console.print("Interrupted; nothing is lost, and the same command goes on.")
            raise click.exceptions.Exit(130) from None
    console.print(_backfill_line(name, progress))
    if progress.refused:
        console.print(f"Which rows: flask schema backfill {name} --refused")


def _pending(connection: Connection) -> list[RevisionStep]:
    scripts = _scripts()
    heads = MigrationContext.configure(connection).get_current_heads()
    connection.rollback()
    try:
        revisions = list(scripts.iterate_revisions("heads", heads or "base"))
    except RevisionError:
        raise GuardError(
            f"The schema is at revision {', '.join(heads)}, which this release does not know: a "
            "later one has been here. Ask that release."
        ) from None
    return [
        RevisionStep.upgrade_from_script(scripts.revision_map, script)
        for script in reversed(revisions)
        if script.revision not in heads
    ]


def _print_step(
    console: Console,
    connection: Connection,
    step: RevisionStep,
    planned: Sequence[planning.Planned],
) -> None:
    script = step.revision
    console.print(f"{script.revision}  {script.doc}", style="bold")
    module = script.module
    if contract := getattr(module, "contract", None):
        console.print(f"  contract: {contract}")
    if journal.exists(connection):
        for name in getattr(module, "needs_backfills", ()):
            line = _backfill_line(name, history.backfill(connection, BACKFILLS[name]))
            console.print(f"  needs {line}")
    for one in planned:
        if one.revision == script.revision:
            console.print(f"  {one.statement}")
            console.print(f"    {one}", style="red" if one.refusal else "green")


def _tell_dry_run(console: Console, name: str, found: backfill.Progress) -> None:
    console.print(
        f"{name} would change {found.changed:,} of {found.read:,} rows and refuse "
        f"{found.refused:,}. Nothing was written."
    )
    for key, reason in found.refusals[:20]:
        console.print(f"  {BACKFILLS[name].table} {key}: {reason}")


def _backfill_line(name: str, progress: backfill.Progress) -> str:
    if progress.state == "not begun":
        return f"backfill {name}: not begun"
    return (
        f"backfill {name}: {progress.state}, {progress.read:,} rows read up to key "
        f"{progress.position:,} of {progress.last:,}, {progress.changed:,} changed, "
        f"{progress.refused:,} refused"
    )


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[backfill.Progress, str], None]]:
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[why]}", style="yellow"), console=console,
    )  # fmt: skip
    with bar:
        task = bar.add_task("rows", total=None, why="")

        def shown(progress: backfill.Progress, why: str) -> None:
            slower = f"slower: {why}" if why else ""
            bar.update(task, total=progress.last, completed=progress.position, why=slower)

        yield shown


@contextmanager
def _connected() -> Iterator[tuple[Connection, Engine]]:
    engine = migration_engine(current_app.extensions["settings"])
    with engine.connect() as connection:
        yield connection, engine


def _scripts() -> ScriptDirectory:
    config = current_app.extensions["migrate"].migrate.get_config()
    return ScriptDirectory.from_config(config)


def _console() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)
