"""Requests that are wrong, and an application that is."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from app.database import db
from tests.api.problems import assert_problem
from tests.clinic.offers import Offer

PATH = "/api/v1/appointments"
BODIES = [PATH, f"{PATH}/1/reschedule"]
WANTED = {"slot_id": 1, "patient_id": 1}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'slot_id': 1}",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"slot_id": ' + b"9" * 5_000 + b"}",
    ],
    ids=["empty", "open", "quotes", "no text", "deep", "long number"],
)
def test_what_is_not_json_is_400(client: FlaskClient, path: str, body: bytes) -> None:
    assert_problem(
        client.post(path, data=body, content_type="application/json"), 400, "bad_request"
    )


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_what_is_not_said_to_be_json_is_415(
    client: FlaskClient, path: str, kind: str | None
) -> None:
    answer = client.post(path, data=json.dumps(WANTED), content_type=kind)
    assert_problem(answer, 415, "unsupported_media_type")


def test_a_body_too_large_is_413(client: FlaskClient) -> None:
    answer = client.post(PATH, json={**WANTED, "reason": "x" * 100_000})
    assert_problem(answer, 413, "request_entity_too_large")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slot_id": "1"}, "slot_id"),
        ({"slot_id": 0}, "slot_id"),
        ({"slot_id": True}, "slot_id"),
        ({"slot_id": 1.5}, "slot_id"),
        ({"slot_id": 2**63}, "slot_id"),
        ({"slot_id": None}, "slot_id"),
        ({"patient_id": -1}, "patient_id"),
        ({"patient_id": [1]}, "patient_id"),
        ({"reason": 1}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "\ud800"}, "reason"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_invalid_fields_are_named(client: FlaskClient, change: dict[str, Any], field: str) -> None:
    problem = assert_problem(
        client.post(PATH, json={**WANTED, **change}), 422, "unprocessable_entity"
    )
    assert list(problem["errors"]["json"]) == [field]


@pytest.mark.parametrize("body", [[], None, 1, "x"])
def test_a_body_must_be_an_object(client: FlaskClient, body: Any) -> None:
    answer = client.post(PATH, data=json.dumps(body), content_type="application/json")
    assert_problem(answer, 422, "unprocessable_entity")


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("clinicians", "limit", "0"),
        ("clinicians", "limit", "101"),
        ("clinicians", "limit", "1_0"),
        ("clinicians", "limit", " 5"),
        ("clinicians", "specialty", ""),
        ("clinicians", "specialty", "x" * 61),
        ("patients", "limit", "٣"),
        ("patients", "limit", "9" * 5000),
        ("patients/1/appointments", "limit", "x"),
        ("slots", "clinician_id", "0"),
        ("slots", "clinician_id", str(2**63)),
        ("slots", "from", "2026-11-23T09:00:00"),
        ("slots", "from", "tomorrow"),
        ("slots", "to", "0001-01-01T00:00:00+14:00"),
        ("reports/utilisation", "from", "2026-13-01T00:00:00Z"),
        ("reports/utilisation", "to", ""),
    ],
)
def test_invalid_queries_are_422(client: FlaskClient, path: str, name: str, value: str) -> None:
    answer = client.get(f"/api/v1/{path}", query_string={name: value})
    problem = assert_problem(answer, 422, "unprocessable_entity")
    assert list(problem["errors"]["query"]) == [name]


@pytest.mark.parametrize("key", ["x" * 65, "a b", "ä"])
def test_invalid_keys_are_422(client: FlaskClient, key: str) -> None:
    answer = client.post(PATH, json=WANTED, headers={"Idempotency-Key": key})
    problem = assert_problem(answer, 422, "unprocessable_entity")
    assert list(problem["errors"]["headers"]) == ["Idempotency-Key"]


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/appointments/x", "/appointments/-1"])
def test_unknown_paths_are_404(client: FlaskClient, path: str) -> None:
    assert_problem(client.get(f"/api/v1{path}"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "slots"), ("GET", "appointments"), ("PUT", "appointments/1"),
     ("GET", "appointments/1/cancel"), ("PATCH", "appointments/1/reschedule")],
)  # fmt: skip
def test_other_methods_are_405(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(f"/api/v1/{path}", method=method)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"]


def test_the_request_id_is_the_clients_own(client: FlaskClient) -> None:
    answer = client.get("/api/v1/nothing", headers={"X-Request-ID": "mine-1"})
    assert assert_problem(answer, 404, "not_found")["correlation_id"] == "mine-1"


@pytest.mark.parametrize("given", ["", "x" * 65, "<script>", "a b"])
def test_a_request_id_that_is_none_is_replaced(client: FlaskClient, given: str) -> None:
    answer = client.get("/api/v1/nothing", headers={"X-Request-ID": given})
    assert len(assert_problem(answer, 404, "not_found")["correlation_id"]) == 32


@pytest.fixture
def broken(app: Flask) -> Iterator[None]:
    """Every statement fails, as one does that nobody thought of."""

    def fail(*_: Any) -> None:
        raise KeyError("secret of the house")

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", fail)
        yield
        event.remove(db.engine, "before_cursor_execute", fail)


@pytest.mark.usefixtures("broken")
def test_the_unexpected_is_logged_once_and_told_to_nobody(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/api/v1/patients")
    problem = assert_problem(answer, 500, "internal_server_error")
    assert "secret" not in answer.text
    (record,) = (record for record in caplog.records if record.levelno >= logging.ERROR)
    assert isinstance(record.msg, dict)
    assert record.msg["request_id"] == problem["correlation_id"]
    assert isinstance(record.msg["exc_info"], KeyError) or record.exc_info


def test_no_connection_is_lost_by_errors(app: Flask, client: FlaskClient, three: Offer) -> None:
    with app.app_context():
        pool: Any = db.engine.pool
    for _ in range(10):
        client.post(PATH, json={"slot_id": three.slots[0], "patient_id": 2**62})
        client.post(f"{PATH}/{2**62}/cancel")
        client.get("/api/v1/slots?after=x")
    assert pool.checkedout() == 0
