"""The timeouts towards a server that does not answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from app.database import db
from app.settings import Settings
from tests.api.variants import variant


@pytest.fixture
def frozen() -> Iterator[int]:
    """The port of a server that accepts connections and says nothing, as a frozen one does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_frozen_server_is_given_up_within_the_connect_timeout(
    settings: Settings, frozen: int
) -> None:
    with variant(settings, db_port=frozen, db_connect_timeout=1, db_read_timeout=9) as app:
        began = monotonic()
        answer = app.test_client().get("/api/v1/clinicians")
        assert monotonic() - began < 5
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["code"] == "database_away"


def test_statements_get_the_read_timeout(settings: Settings) -> None:
    changed = variant(settings, db_connect_timeout=1, db_read_timeout=9)
    with changed as app, app.app_context(), db.engine.connect() as connection:
        assert getattr(connection.connection.dbapi_connection, "_read_timeout", None) == 9
