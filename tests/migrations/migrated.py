"""A schema of a test's own, migrated in this process as ``flask db`` does."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from app import create_app
from app.clinic import seed
from app.database import db, migrate, migration_engine
from app.settings import Settings
from migrations.guard.journal import TABLES
from migrations.guard.statements import VERSION_TABLE
from tests.clinic.offers import FIRST

ROOT = Path(__file__).parents[2]
OWN = TABLES | {VERSION_TABLE}
# What a schema is: columns, keys and constraints, in the server's own words.
DEFINITIONS = (
    "SELECT table_name, column_name, ordinal_position, column_default, is_nullable, column_type, "
    "collation_name, extra, generation_expression FROM information_schema.columns",
    "SELECT table_name, index_name, seq_in_index, column_name, non_unique "
    "FROM information_schema.statistics",
    "SELECT table_name, constraint_name, constraint_type FROM information_schema.table_constraints",
    "SELECT table_name, constraint_name, column_name, referenced_table_name, "
    "referenced_column_name FROM information_schema.key_column_usage",
)
REVISION = '''"""For a test.

Revises: {down}
"""

import sqlalchemy as sa
from alembic import op

from migrations import guard

revision = "{revision}"
down_revision = "{down}"
branch_labels = None
depends_on = None
{more}

def upgrade():
{up}


def downgrade():
{down_code}
'''


class Migrated:
    """A schema, and what tests do to it."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self.settings = settings
        self.name = settings.db_name
        self.app = create_app(settings)
        with self.app.app_context():
            self.url = db.engine.url
        self.engine: Engine = create_engine(
            self.url, isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        self._directory = directory / f"migrations-{self.name}"
        server = create_engine(self.url.set(database="mysql"), isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.exec_driver_sql(
                f"CREATE DATABASE {self.name} COLLATE utf8mb4_unicode_520_ci"
            )
        server.dispose()

    def upgrade(self, revision: str = "head", **limits: int) -> None:
        """``flask db upgrade``; raises what that prints."""
        with self._config(limits) as config:
            command.upgrade(config, revision)

    def downgrade(self, revision: str = "-1", **limits: int) -> None:
        """``flask db downgrade``; raises what that prints."""
        with self._config(limits) as config:
            command.downgrade(config, revision)

    def stamp(self, revision: str) -> None:
        """``flask db stamp``."""
        with self._config({}) as config:
            command.stamp(config, revision)

    def seed(self, patients: int) -> None:
        """Fill the tables with sample data."""
        with self.app.app_context(), db.engine.connect() as connection:
            seed.fill(connection, patients, 1, FIRST.date(), lambda _: None)

    def add(
        self, revision: str, up: str, down: str = "pass", after: str = "0005", more: str = ""
    ) -> None:
        """Add a revision of this body after another one, or write it anew."""
        if not self._directory.exists():
            shutil.copytree(ROOT / "migrations", self._directory)
        indent = "    "
        body = REVISION.format(
            revision=revision, down=after, more=more,
            up=indent + up.replace("\n", f"\n{indent}"),
            down_code=indent + down.replace("\n", f"\n{indent}"),
        )  # fmt: skip
        (self._directory / "versions" / f"{revision}.py").write_text(body)

    def sql(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Carry out a statement; its rows, where it has some."""
        with self.engine.connect() as connection:
            result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A connection as migrations have it."""
        with self.app.app_context():
            engine = migration_engine(self.settings)
        with engine.connect() as connection:
            yield connection

    def revision(self) -> str | None:
        """Where Alembic says that the schema is."""
        if not self.sql("SHOW TABLES LIKE 'alembic_version'"):
            return None
        return next((name for (name,) in self.sql("SELECT version_num FROM alembic_version")), None)

    def definition(self) -> str:
        """A hash of the schema's definition, what Alembic and the guard keep left out."""
        found = []
        for query in DEFINITIONS:
            rows = self.sql(f"{query} WHERE table_schema = DATABASE()")
            found += sorted(repr(row) for row in rows if row[0] not in OWN)
        return hashlib.sha256("\n".join(found).encode()).hexdigest()

    def rows(self, table: str, *but: str) -> str:
        """A hash of a table's rows, without the columns *but*."""
        columns = self.sql(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() "
            "AND table_name = :table ORDER BY column_name", table=table,
        )  # fmt: skip
        wanted = ", ".join(f"`{name}`" for (name,) in columns if name not in but)
        rows = self.sql(f"SELECT {wanted} FROM `{table}` ORDER BY {wanted}")
        return hashlib.sha256(repr(rows).encode()).hexdigest()

    def close(self) -> None:
        """Drop the schema."""
        with self.app.app_context():
            db.engine.dispose()
        self.sql(f"DROP DATABASE IF EXISTS {self.name}_plan")
        self.sql(f"DROP DATABASE {self.name}")
        self.engine.dispose()

    @contextmanager
    def _config(self, limits: dict[str, int]) -> Iterator[Config]:
        given = [f"{name.replace('_', '-')}={value}" for name, value in limits.items()]
        directory = self._directory if self._directory.exists() else ROOT / "migrations"
        with self.app.app_context():
            config: Any = migrate.get_config(str(directory), x_arg=given or None)
            yield config
