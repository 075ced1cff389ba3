"""Questions to the database server, past the application and its pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymysql

from loadtest.lab.database import PrivateDatabase


def query(server: PrivateDatabase, statement: str) -> list[tuple[Any, ...]]:
    """All rows of *statement*, asked as the server's administrator."""
    environment = server.environment("admin")
    connection = pymysql.connect(
        host=server.host,
        port=server.port,
        user=environment["CLINIC_DB_USER"],
        password=Path(environment["CLINIC_DB_PASSWORD_FILE"]).read_text().strip(),
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
