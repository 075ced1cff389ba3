"""Schemas of a test's own on the shared server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine

from app.clinic.models import Base
from loadtest.lab.database import PrivateDatabase
from tests.sql import query

_numbers = count(1)


@contextmanager
def schema(database: PrivateDatabase) -> Iterator[Engine]:
    """A new schema with empty tables, which is dropped at the end."""
    name = f"own_{next(_numbers)}"
    query(database, f"CREATE DATABASE {name}")
    admin = database.environment("admin")
    password = Path(admin["CLINIC_DB_PASSWORD_FILE"]).read_text()
    url = URL.create(
        "mysql+pymysql", "admin", password, database.host, database.port, name,
    )  # fmt: skip
    engine = create_engine(url, isolation_level="READ COMMITTED")
    try:
        Base.metadata.create_all(engine)
        yield engine
    finally:
        engine.dispose()
        query(database, f"DROP DATABASE {name}")
