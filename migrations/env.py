"""How Alembic runs for this application: with its engine, its metadata and its logging."""

from __future__ import annotations

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from app.clinic.models import UtcDateTime

database = current_app.extensions["migrate"].db


def render_item(kind: str, item: object, context: AutogenContext) -> str | Literal[False]:
    """Write a column's database type in a revision, which must not change with the models."""
    if kind != "type" or not isinstance(item, UtcDateTime):
        return False
    context.imports.add("from sqlalchemy.dialects import mysql")
    return f"mysql.DATETIME(fsp={item.precision})" if item.precision else "mysql.DATETIME()"


options = current_app.extensions["migrate"].configure_args | {"render_item": render_item}


def run_offline() -> None:
    """Print the SQL instead of running it."""
    url = database.engine.url.render_as_string(hide_password=True)
    context.configure(url=url, target_metadata=database.metadata, literal_binds=True, **options)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run the migrations on the application's database."""
    with connect() as connection:
        context.configure(connection=connection, target_metadata=database.metadata, **options)
        with context.begin_transaction():
            context.run_migrations()


def connect() -> Connection:
    """A connection, or a message for people; Flask-Migrate prints it and exits with 1."""
    try:
        return database.engine.connect()
    except OperationalError as error:
        url = database.engine.url
        raise CommandError(
            f"Cannot use the database {url.database!r} on {url.host}:{url.port} "
            f"as {url.username!r}: {error.orig.args[-1]}. Check that the server runs, "
            "CLINIC_DB_HOST, CLINIC_DB_PORT and the password in CLINIC_DB_PASSWORD_FILE."
        ) from None


if context.is_offline_mode():
    run_offline()
else:
    run_online()
