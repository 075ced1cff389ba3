"""The application's own commands."""

from __future__ import annotations

from loadtest.lab.database import PrivateDatabase
from tests.conftest import flask
from tests.sql import query


def test_old_keys_are_forgotten_and_new_ones_kept(database: PrivateDatabase) -> None:
    query(
        database,
        "INSERT INTO clinic.idempotency_key (`key`, request_hash, answer, created_at) VALUES "
        "('old', '', '', utc_timestamp() - INTERVAL 8 DAY), ('new', '', '', utc_timestamp())",
    )
    assert "Deleted 1 idempotency keys" in flask(database, "forget-keys").stdout
    left = {key for (key,) in query(database, "SELECT `key` FROM clinic.idempotency_key")}
    assert "new" in left
    assert "old" not in left
