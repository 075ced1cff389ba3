"""Each request holds at most one connection, and none while its answer is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import Schema
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from app.database import db
from app.settings import Settings
from tests.api.variants import variant
from tests.clinic.offers import Offer

PATH = "/api/v1/appointments"


class Watch:
    """The numbers of connections in use: whenever one is taken, and while answers are made."""

    def __init__(self, pool: QueuePool) -> None:
        self.pool = pool
        self.taken: list[int] = []
        self.answering: list[int] = []

    def checkout(self, *_: Any) -> None:
        self.taken.append(self.pool.checkedout())

    def watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.answering.append(self.pool.checkedout())
            return function(*arguments, **named)

        return call


@pytest.fixture
def watch(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    with app.app_context():
        engine = db.engine
    assert isinstance(engine.pool, QueuePool)
    watch = Watch(engine.pool)
    event.listen(engine, "checkout", watch.checkout)
    monkeypatch.setattr(app.json, "response", watch.watched(app.json.response))
    monkeypatch.setattr("flask_smorest.response.jsonify", watch.watched(_jsonify()))
    yield watch
    event.remove(engine, "checkout", watch.checkout)


def _jsonify() -> Callable[..., Any]:
    from flask import jsonify

    return jsonify


READS = ["/api/v1/clinicians", "/api/v1/patients", "/api/v1/slots?specialty=Neurology",
         "/api/v1/patients/1/appointments", "/api/v1/reports/utilisation", f"{PATH}/1"]  # fmt: skip


@pytest.mark.parametrize("path", READS)
def test_reading(client: FlaskClient, watch: Watch, path: str) -> None:
    assert client.get(path).status_code == 200
    assert watch.taken == [1]
    assert watch.answering
    assert set(watch.answering) == {0}


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "held"}])
def test_changing(client: FlaskClient, three: Offer, watch: Watch, headers: dict[str, str]) -> None:
    headers = {name: f"{value}-{three.clinician_id}" for name, value in headers.items()}
    wanted = {"slot_id": three.slots[0], "patient_id": 1}
    mine = client.post(PATH, json=wanted, headers=headers).get_json()["id"]
    client.post(f"{PATH}/{mine}/reschedule", json={"slot_id": three.slots[1]})
    assert client.post(f"{PATH}/{mine}/cancel").status_code == 200
    assert watch.taken == [1, 1, 1]
    assert set(watch.answering) == {0}
    assert watch.pool.checkedout() == 0


def test_pages_are_read_before_they_are_dumped(
    client: FlaskClient, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Schema, "dump", watch.watched(Schema.dump))
    client.get("/api/v1/slots")
    assert len(watch.answering) > 1
    assert set(watch.answering) == {0}


def test_a_new_password_needs_no_restart(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("an old one")
    with variant(settings, db_password_file=file) as app:
        client = app.test_client()
        assert client.get(READS[0]).status_code == 503
        file.write_text(settings.db_password)
        assert client.get(READS[0]).status_code == 200
