"""How Alembic runs for this application: with its engine, its metadata and its logging."""

from __future__ import annotations

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.util import CommandError
from flask import current_app
from sqlalchemy.exc import OperationalError

from app.clinic.models import UtcDateTime
from app.database import migration_engine
from migrations.backfills import demand
from migrations.guard.journal import TABLES
from migrations.guard.running import run

database = current_app.extensions["migrate"].db


def render_item(kind: str, item: object, context: AutogenContext) -> str | Literal[False]:
    """Write a column's database type in a revision, which must not change with the models."""
    if kind != "type" or not isinstance(item, UtcDateTime):
        return False
    context.imports.add("from sqlalchemy.dialects import mysql")
    return f"mysql.DATETIME(fsp={item.precision})" if item.precision else "mysql.DATETIME()"


def include_name(name: str | None, kind: str, _: object) -> bool:
    """Leave the guard's own tables out of what is compared with the models."""
    return kind != "table" or name not in TABLES


options = current_app.extensions["migrate"].configure_args | {
    "target_metadata": database.metadata,
    "render_item": render_item,
    "include_name": include_name,
}


def run_offline() -> None:
    """Print the SQL instead of running it."""
    url = database.engine.url.render_as_string(hide_password=True)
    context.configure(url=url, literal_binds=True, **options)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run the migrations on the application's database, under guard."""
    engine = migration_engine(current_app.extensions["settings"])
    try:
        engine.connect().close()
    except OperationalError as error:
        url = engine.url
        raise CommandError(
            f"Cannot use the database {url.database!r} on {url.host}:{url.port} "
            f"as {url.username!r}: {error.orig.args[-1]}. Check that the server runs, "
            "CLINIC_DB_HOST, CLINIC_DB_PORT and the password in CLINIC_DB_PASSWORD_FILE."
        ) from None
    run(context, engine, options, demand)


if context.is_offline_mode():
    run_offline()
else:
    run_online()
