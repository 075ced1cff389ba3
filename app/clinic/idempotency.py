"""Keys that make a client's retry safe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clinic.errors import Conflict, KeyReused
from app.clinic.models import IdempotencyKey

BATCH = 1000


def once(
    session: Session, key: str, request: dict[str, Any], act: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """The answer of *act*, carried out at most once for *key*.

    Key, request and answer are stored in the transaction of the act itself, after it: attempts at
    the same time meet at what they book, and those that come too late give the first one's answer.
    (Stored before, the key would be waited for; if the first then fails, its waiters deadlock.)

    Raises:
        KeyReused: the key came with another request before.
        ClinicError: the act's own; the key may be used again.
    """
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    if earlier := _answered(session, key, digest):
        return earlier
    try:
        with session.begin_nested():
            answer = act()
            values = {"key": key, "request_hash": digest, "answer": json.dumps(answer)}
            session.execute(insert(IdempotencyKey).values(values))
            return answer
    except (Conflict, IntegrityError):
        if earlier := _answered(session, key, digest):
            return earlier
        raise


def _answered(session: Session, key: str, digest: str) -> dict[str, Any] | None:
    stored = session.execute(
        select(IdempotencyKey.request_hash, IdempotencyKey.answer).where(IdempotencyKey.key == key)
    ).one_or_none()
    if stored is None:
        return None
    if stored.request_hash != digest:
        raise KeyReused
    answer: dict[str, Any] = json.loads(stored.answer)
    return answer


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
