"""The timeouts towards a server that does not answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import monotonic

import click
import pytest
from flask import Flask
from prometheus_client import CollectorRegistry, generate_latest

from app.database import db
from app.pool import PoolCollector
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


def test_command_is_named_and_no_leak_however_long_it_takes(settings: Settings) -> None:
    with click.Context(click.Command("seed"), info_name="seed"), variant(settings) as app:
        with app.app_context(), db.engine.connect() as connection:
            record = connection.connection._connection_record
            assert record.measured.leak_after is None
        scrape = generate_latest(_registry()).decode()
    assert (
        'sqlalchemy_pool_held{db_client_connection_pool_name="clinic",holder="flask seed"' in scrape
    )


def test_request_is_named_by_its_rule(app: Flask) -> None:
    app.test_client().get("/api/v1/clinicians?limit=1")
    scrape = generate_latest(_registry()).decode()
    assert 'holder="/api/v1/clinicians"' in scrape


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(PoolCollector())
    return registry
