"""Keys that make a client's retry safe."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete

from app.clinic.models import IdempotencyKey

BATCH = 1000


def forget_keys(connection: Connection, before: datetime) -> int:
    """Delete the keys that were first used before *before*; returns how many.

    Each batch is a transaction of its own, so that nobody waits for all of them.
    """
    statement = (
        delete(IdempotencyKey)
        .where(IdempotencyKey.created_at < before)
        .with_dialect_options(mysql_limit=BATCH, mariadb_limit=BATCH)
    )
    total = 0
    while True:
        with connection.begin():
            deleted = connection.execute(statement).rowcount
        total += deleted
        if deleted < BATCH:
            return total
