"""Errors of migrations: Alembic's own, and what the server says to its statements."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.errors import Server, asked, engine, reproduces, table, url

ENV = """
from alembic import context
from sqlalchemy import create_engine
engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection, version_table="scratch_version")
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = """
from alembic import op
revision, down_revision = {revision!r}, {down!r}
branch_labels = depends_on = None
def upgrade():
    {body}
def downgrade():
    pass
"""


def alembic(server: Server, directory: str, *revisions: tuple[str, str | None, str]) -> Config:
    """Alembic as it comes, without this project's guard, with these revisions."""
    folder = Path(directory)
    (folder / "versions").mkdir()
    (folder / "env.py").write_text(ENV)
    (folder / "script.py.mako").write_text("")
    for revision, down, body in revisions:
        text = REVISION.format(revision=revision, down=down, body=body)
        (folder / "versions" / f"{revision}.py").write_text(text)
    config = Config()
    config.set_main_option("script_location", str(folder))
    plain = url(server, "admin").render_as_string(hide_password=False)
    config.set_main_option("sqlalchemy.url", plain.replace("%", "%%"))
    return config


@reproduces("multiple-heads")
def multiple_heads(server: Server) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = alembic(
            server, folder, ("a1", None, "pass"), ("b1", "a1", "pass"), ("b2", "a1", "pass")
        )
        command.upgrade(config, "head")


@reproduces("unknown-revision")
def unknown_revision(server: Server) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command.upgrade(alembic(server, folder, ("a1", None, "pass")), "f00")


@reproduces("not-up-to-date")
def not_up_to_date(server: Server) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = alembic(server, folder, ("a1", None, "pass"))
        (Path(folder) / "script.py.mako").write_text("x = 1")
        command.revision(config, message="next", autogenerate=True)


@reproduces("half-applied-revision")
def half_applied_revision(server: Server) -> None:
    """Its second statement fails; the first stays, as MySQL commits each, and fails next time."""
    first = 'op.execute("CREATE TABLE scratch_half (id INT)")'
    second = 'op.execute("ALTER TABLE scratch_missing ADD x INT")'
    try:
        with tempfile.TemporaryDirectory() as folder:
            config = alembic(server, folder, ("a1", None, f"{first}; {second}"))
            with pytest.raises(ProgrammingError, match="scratch_missing"):
                command.upgrade(config, "head")
            command.upgrade(config, "head")
    finally:
        asked(server, "DROP TABLE IF EXISTS scratch_half, scratch_version")


@reproduces("metadata-lock-wait")
def metadata_lock_wait(server: Server) -> None:
    """A transaction that only read a table keeps everybody from changing it."""
    with table(server) as name, engine(server, "admin") as one, one.begin() as idle:
        idle.execute(text(f"SELECT * FROM {name}"))
        with one.connect() as other:
            other.execute(text("SET SESSION lock_wait_timeout = 1"))
            other.execute(text(f"ALTER TABLE {name} ADD COLUMN x INT"))


@reproduces("algorithm-not-supported")
def algorithm_not_supported(server: Server) -> None:
    with table(server) as name, engine(server, "admin") as one, one.connect() as connection:
        connection.execute(text(f"ALTER TABLE {name} MODIFY n BIGINT NOT NULL, ALGORITHM=INPLACE"))


@reproduces("unknown-column")
def unknown_column(server: Server) -> None:
    """The release of before, after a column was dropped under it."""
    with table(server) as name, engine(server) as one, one.connect() as connection:
        asked(server, f"ALTER TABLE {name} DROP COLUMN n")
        connection.execute(text(f"SELECT id, n FROM {name}"))
