"""The Idempotency-Key: a retry is answered as the first attempt was."""

from __future__ import annotations

import uuid

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.problems import assert_problem
from tests.clinic.offers import Offer

PATH = "/api/v1/appointments"


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


def book(
    client: FlaskClient, key: str, slot_id: int, patient_id: int, reason: str | None = None
) -> TestResponse:
    wanted = {"slot_id": slot_id, "patient_id": patient_id, "reason": reason}
    return client.post(PATH, json=wanted, headers={"Idempotency-Key": key})


def booked(client: FlaskClient, patient_id: int) -> int:
    return len(client.get(f"/api/v1/patients/{patient_id}/appointments").get_json()["items"])


def test_a_retry_books_nothing_more(
    client: FlaskClient, three: Offer, nobody: int, key: str
) -> None:
    first, second = (book(client, key, three.slots[0], nobody) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.data == second.data
    assert booked(client, nobody) == 1


def test_a_retry_is_answered_as_then_whatever_happened_since(
    client: FlaskClient, three: Offer, nobody: int, key: str
) -> None:
    first = book(client, key, three.slots[0], nobody)
    client.post(f"{PATH}/{first.get_json()['id']}/cancel")
    assert book(client, key, three.slots[0], nobody).data == first.data
    assert client.get(f"{PATH}/{first.get_json()['id']}").get_json()["status"] == "cancelled"


@pytest.mark.parametrize("change", ["slot", "patient", "reason"])
def test_a_key_with_another_request_is_refused(
    client: FlaskClient, three: Offer, nobody: int, key: str, change: str
) -> None:
    assert book(client, key, three.slots[0], nobody, "Results").status_code == 201
    slot_id = three.slots[1] if change == "slot" else three.slots[0]
    patient_id = 1 if change == "patient" else nobody
    reason = "Other" if change == "reason" else "Results"
    other = book(client, key, slot_id, patient_id, reason)
    assert_problem(other, 422, "idempotency_key_reused")
    assert booked(client, nobody) == 1


def test_a_failed_booking_does_not_burn_the_key(
    client: FlaskClient, three: Offer, nobody: int, key: str
) -> None:
    blocking = book(client, uuid.uuid4().hex, three.slots[0], nobody)
    assert_problem(book(client, key, three.slots[0], nobody), 409, "conflict")
    client.post(f"{PATH}/{blocking.get_json()['id']}/cancel")
    assert book(client, key, three.slots[0], nobody).status_code == 201


def test_keys_that_differ_only_in_case_are_two(
    client: FlaskClient, three: Offer, nobody: int, key: str
) -> None:
    assert book(client, f"{key}-a", three.slots[0], nobody).status_code == 201
    assert book(client, f"{key}-A", three.slots[1], nobody).status_code == 201
