"""Questions to the database server, past the application and its pool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql

from loadtest.lab.database import PrivateDatabase


def query(server: PrivateDatabase, statement: str) -> list[tuple[Any, ...]]:
    """All rows of *statement*, asked as the server's administrator."""
    with administrator(server) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@contextmanager
def locked(server: PrivateDatabase, table: str) -> Iterator[None]:
    """Let nobody else read or write *table* meanwhile."""
    with administrator(server) as connection, connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLES {table} WRITE")
        yield


def administrator(server: PrivateDatabase) -> pymysql.Connection[Any]:
    """A connection with all rights, to be closed."""
    environment = server.environment("admin")
    return pymysql.connect(
        host=server.host,
        port=server.port,
        user=environment["CLINIC_DB_USER"],
        password=Path(environment["CLINIC_DB_PASSWORD_FILE"]).read_text().strip(),
        autocommit=True,
    )
