"""The database goes away under load and comes back; the application stays."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from flask import Flask
from sqlalchemy.pool import QueuePool

from app.database import db
from app.settings import Settings
from loadtest.lab.database import PrivateDatabase
from tests.api.problems import assert_problem
from tests.api.serving import Answer, Served, serving
from tests.api.variants import variant
from tests.conftest import flask
from tests.sql import query
from tests.waiting import eventually

CONNECT, LOCK_WAIT = 2, 5  # seconds, the defaults
SLACK = 2  # seconds, for a busy machine


@pytest.fixture(scope="module")
def own() -> Iterator[PrivateDatabase]:
    """A server that a test may kill."""
    with PrivateDatabase.running() as server:
        flask(server, "db", "upgrade")
        flask(server, "seed", "--patients", "300")
        yield server


@pytest.fixture(scope="module")
def exposed(own: PrivateDatabase) -> Iterator[Served]:
    """The application on that server."""
    with serving(own) as running:
        yield running


class Traffic:
    """Patients who look for slots and book until they are told to stop."""

    def __init__(self, served: Served, patients: int = 12) -> None:
        self.answers: list[Answer] = []
        self._served = served
        self._ended = Event()
        self._threads = ThreadPoolExecutor(patients)
        self._patients = [self._threads.submit(self._visit, i + 1) for i in range(patients)]

    def end(self) -> None:
        """Stop, and raise what went wrong."""
        self._ended.set()
        for patient in self._patients:
            patient.result(timeout=30)
        self._threads.shutdown()

    def booked(self) -> set[int]:
        return {answer.json["id"] for answer in self.answers if answer.status == 201}

    def refused(self) -> int:
        return sum(answer.status == 503 for answer in self.answers)

    def _visit(self, patient_id: int) -> None:
        slot_id = patient_id
        while not self._ended.is_set():
            slot_id += 12
            self.answers.append(self._served.get("/api/v1/slots?limit=5"))
            wanted = {"slot_id": slot_id, "patient_id": patient_id}
            self.answers.append(self._served.post("/api/v1/appointments", wanted))


def test_a_killed_database_is_503_and_all_recovers_by_itself(
    own: PrivateDatabase, exposed: Served
) -> None:
    traffic = Traffic(exposed)
    eventually(lambda: len(traffic.booked()) > 10)
    own.kill()
    eventually(lambda: traffic.refused() > 100)
    assert exposed.get("/livez").status == 200
    during = exposed.get("/readyz")
    own.start()
    eventually(lambda: exposed.get("/readyz").status == 200, within=5)
    before = len(traffic.answers)
    eventually(lambda: len(traffic.answers) > before + 100)
    traffic.end()

    statuses = Counter(answer.status for answer in traffic.answers)
    assert set(statuses) <= {200, 201, 404, 409, 503}, statuses
    assert statuses[503] > 0
    assert traffic.answers[-1].status != 503
    assert max(answer.seconds for answer in traffic.answers) < CONNECT + LOCK_WAIT
    for answer in [*traffic.answers, during]:
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.json["code"] in ("database_away", "pool_exhausted")
    assert "does not answer" in during.json["detail"]
    stored = query(own, "SELECT id FROM clinic.appointment WHERE id > 300")
    assert traffic.booked()
    assert traffic.booked() <= {row[0] for row in stored}


def test_a_frozen_database_is_told_within_seconds(own: PrivateDatabase, settings: Settings) -> None:
    password = Path(own.environment("app")["CLINIC_DB_PASSWORD_FILE"])
    with variant(settings, db_port=own.port, db_password_file=password) as app:
        client = app.test_client()
        for path in ("/readyz", "/api/v1/slots"):
            assert client.get("/readyz").status_code == 200
            assert idle_connections(app) == 1
            with own.frozen():
                began = time.monotonic()
                assert_problem(client.get(path), 503, "database_away")
                # The ping of the idle connection, then one attempt to replace it.
                assert time.monotonic() - began < CONNECT + CONNECT + SLACK


def idle_connections(app: Flask) -> int:
    with app.app_context():
        pool = db.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedin()


def test_every_line_of_the_log_is_json(exposed: Served) -> None:
    records = [json.loads(line) for line in exposed.log.read_text().splitlines()]
    requests = [record for record in records if record["logger"] == "access"]
    assert requests
    for record in requests:
        assert record["request_id"]
        assert record["route"] in ("/api/v1/slots", "/api/v1/appointments")
        assert record["timestamp"].endswith("Z")
    # The pool may log what it could not reset; nothing was unforeseen.
    assert not [
        record for record in records if record["logger"] == "errors" and record["level"] == "error"
    ]
