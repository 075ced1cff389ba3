"""Changes of data in short transactions, so that nobody waits for all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sqlalchemy import Connection, text

from migrations.guard.statements import quoted

PAUSE = 1.0  # of the time a batch took: as much again is left to everybody else


def run(connection: Connection, sql: str, table: str, key: str, size: int) -> int:
    """Run *sql* for one range of *key* after the other, each committed; how many rows it changed.

    *sql* names the range as ``:first`` and ``:last``, both inclusive, and may be repeated without
    changing more.
    """
    changed = 0
    for first, last in ranges(connection, table, key, size):
        began = time.monotonic()
        changed += connection.execute(text(sql), {"first": first, "last": last}).rowcount
        connection.exec_driver_sql("COMMIT")
        time.sleep(PAUSE * (time.monotonic() - began))  # the throttle itself; nothing is awaited
    return changed


def ranges(connection: Connection, table: str, key: str, size: int) -> Iterator[tuple[int, int]]:
    """The first and last key of *size* rows after the other, as they are when each is asked for."""
    name, column = quoted(table), quoted(key)
    query = text(
        f"SELECT MIN({column}), MAX({column}) FROM (SELECT {column} FROM {name} "  # noqa: S608
        f"WHERE {column} > :after ORDER BY {column} LIMIT :size) AS batch"
    )
    after: int | None = -(2**63)
    while after is not None:
        first, after = connection.execute(query, {"after": after, "size": size}).one()
        if after is not None:
            yield first, after
