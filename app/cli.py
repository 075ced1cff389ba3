"""Commands beside Flask's and Flask-Migrate's own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import click
from flask import Flask
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError

from app.clinic import seed
from app.clinic.idempotency import forget_keys
from app.clinic.models import Patient
from app.database import db
from app.pool_commands import pool
from app.schema_commands import schema


def init_app(app: Flask) -> None:
    """Add the commands to *app*."""
    app.cli.add_command(fill_with_sample_data)
    app.cli.add_command(forget_old_keys)
    app.cli.add_command(pool)
    app.cli.add_command(schema)


@click.command("seed")
@click.option("--patients", type=click.IntRange(1, 10_000_000), default=2000, show_default=True)
@click.option("--seed", "number", type=int, default=1, show_default=True, help="Random seed.")
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Day of the first slots.  [default: tomorrow]",
)
@click.option("--if-empty", is_flag=True, help="Do nothing where there are patients already.")
def fill_with_sample_data(
    patients: int, number: int, start: datetime | None, if_empty: bool
) -> None:
    """Fill empty tables with synthetic data, the same for the same seed and start.

    For each patient there are three slots and one appointment.
    """
    day = start.date() if start else _tomorrow()
    with _connect() as connection:
        present = connection.scalar(select(func.count()).select_from(Patient))
        connection.rollback()
        if present and if_empty:
            click.echo(f"There are {present} patients already; nothing to do.")
            return
        if present:
            raise click.ClickException(
                f"The database has {present} patients already. Sample data fills only empty "
                "tables: use an empty database, or --if-empty to leave this one as it is."
            )
        with _progress() as bar:
            task = bar.add_task("Sample data", total=sum(seed.sizes(patients).values()))
            seed.fill(connection, patients, number, day, lambda rows: bar.advance(task, rows))


@click.command("forget-keys")
@click.option(
    "--older-than", "days", type=click.IntRange(1), default=7, show_default=True, help="Days."
)
def forget_old_keys(days: int) -> None:
    """Delete idempotency keys that no client will use again, a thousand at a time."""
    with _connect() as connection:
        count = forget_keys(connection, datetime.now(UTC) - timedelta(days=days))
    click.echo(f"Deleted {count} idempotency keys older than {days} days.")


def _connect() -> Connection:
    try:
        return db.engine.connect()
    except OperationalError as error:
        raise click.ClickException(f"Cannot use the database: {error.orig}") from None


def _tomorrow() -> date:
    return datetime.now(UTC).date() + timedelta(days=1)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )
