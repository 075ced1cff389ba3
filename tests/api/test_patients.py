"""Registering, telephone numbers, and the waiting list."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.problems import assert_problem
from tests.clinic.offers import Offer
from tests.clinic.offers import patient as new_patient

_numbers = count(1)
PHONE = "+49 30 1234567"


def register(client: FlaskClient, **changes: Any) -> Any:
    body = {"name": "Ines Weber", "email": f"ines{next(_numbers)}@example.org"}
    return client.post("/api/v1/patients", json={**body, "born": "1990-02-03", **changes})


def test_a_patient_is_registered_and_read(client: FlaskClient) -> None:
    answer = register(client, name=" Ines Weber ", phone=PHONE)
    assert answer.status_code == 201
    found = answer.get_json()
    assert (found["name"], found["born"]) == ("Ines Weber", "1990-02-03")
    assert found["phone"].replace(" ", "") == PHONE.replace(" ", "")
    assert client.get(f"/api/v1/patients/{found['id']}").get_json() == found


def test_an_address_is_registered_once(client: FlaskClient) -> None:
    assert register(client, email="once@example.org").status_code == 201
    assert_problem(register(client, email="ONCE@example.org"), 409, "conflict")


@pytest.mark.parametrize(
    "changes", [{"name": " "}, {"email": "nobody"}, {"born": "soon"}, {"phone": "0" * 33}]
)
def test_what_cannot_be_is_refused(client: FlaskClient, changes: dict[str, Any]) -> None:
    problem = assert_problem(register(client, **changes), 422, "unprocessable_entity")
    assert list(problem["errors"]["json"]) == list(changes)


def test_a_number_is_changed_and_taken_away(app: Flask, client: FlaskClient) -> None:
    path = f"/api/v1/patients/{new_patient(app)}"
    assert client.get(path).get_json()["phone"] is None
    changed = client.patch(path, json={"phone": f" {PHONE} "}).get_json()
    assert changed["phone"].replace(" ", "") == PHONE.replace(" ", "")
    assert client.get(path).get_json() == changed
    assert client.patch(path, json={"phone": " "}).get_json()["phone"] is None


def test_nobody_has_no_number(client: FlaskClient) -> None:
    assert_problem(client.get("/api/v1/patients/99999999"), 404, "not_found")
    assert_problem(
        client.patch("/api/v1/patients/99999999", json={"phone": None}), 404, "not_found"
    )


def test_joining_and_leaving_the_waiting_list(
    client: FlaskClient, three: Offer, nobody: int
) -> None:
    wanted = {"patient_id": nobody, "specialty": three.specialty}
    path = f"/api/v1/patients/{nobody}/waitlist"
    joined = client.post("/api/v1/waitlist", json=wanted)
    assert joined.status_code == 201
    assert client.get(path).get_json()["items"] == [joined.get_json()]
    assert joined.get_json().items() >= wanted.items()
    assert_problem(client.post("/api/v1/waitlist", json=wanted), 409, "conflict")
    entry = f"/api/v1/waitlist/{joined.get_json()['id']}"
    assert client.delete(entry).status_code == 204
    assert_problem(client.delete(entry), 404, "not_found")
    assert client.get(path).get_json()["items"] == []


def test_only_known_patients_wait_for_known_specialties(client: FlaskClient, nobody: int) -> None:
    unknown = {"patient_id": nobody, "specialty": "Alchemy"}
    problem = assert_problem(client.post("/api/v1/waitlist", json=unknown), 404, "not_found")
    assert "Alchemy" in problem["detail"]
    unknown = {"patient_id": 99999999, "specialty": "Neurology"}
    assert_problem(client.post("/api/v1/waitlist", json=unknown), 404, "not_found")
    assert_problem(client.get("/api/v1/patients/99999999/waitlist"), 404, "not_found")


def test_an_appointment_by_video(client: FlaskClient, three: Offer, nobody: int) -> None:
    wanted = {"slot_id": three.slots[0], "patient_id": nobody, "telehealth": True}
    booked = client.post("/api/v1/appointments", json=wanted).get_json()
    assert booked["telehealth"] is True
    assert client.get(f"/api/v1/appointments/{booked['id']}").get_json() == booked
    assert_problem(
        client.post("/api/v1/appointments", json={**wanted, "telehealth": 1}),
        422, "unprocessable_entity",
    )  # fmt: skip


def test_no_video_is_the_same_request_as_before_there_was_any(
    client: FlaskClient, three: Offer, nobody: int
) -> None:
    wanted = {"slot_id": three.slots[0], "patient_id": nobody, "reason": None}
    headers = {"Idempotency-Key": f"telehealth-{nobody}"}
    asked: tuple[dict[str, bool], ...] = ({}, {"telehealth": False})
    first, again = (
        client.post("/api/v1/appointments", json={**wanted, **video}, headers=headers)
        for video in asked
    )
    assert first.get_json() == again.get_json()
    assert first.get_json()["telehealth"] is False
