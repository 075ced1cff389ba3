"""Booking, moving and cancelling over HTTP."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.problems import assert_problem
from tests.clinic.offers import Offer, begin, offer, standing

NOWHERE = 2**63 - 1
PATH = "/api/v1/appointments"


def book(client: FlaskClient, slot_id: int, patient_id: int, **more: Any) -> dict[str, Any]:
    wanted = {"slot_id": slot_id, "patient_id": patient_id, **more}
    answer = client.post(PATH, json=wanted)
    assert answer.status_code == 201, answer.text
    appointment: dict[str, Any] = answer.get_json()
    return appointment


def test_a_booking_is_answered_whole(client: FlaskClient, three: Offer, nobody: int) -> None:
    before = datetime.now(UTC)
    found = book(client, three.slots[0], nobody, reason=" Überweisung 🩺 ")
    assert found["slot_id"] == three.slots[0]
    assert found["patient_id"] == nobody
    assert found["clinician_id"] == three.clinician_id
    assert found["specialty"] == three.specialty
    assert found["reason"] == "Überweisung 🩺"
    assert (found["status"], found["cancelled_at"]) == ("booked", None)
    for name in ("starts_at", "ends_at", "booked_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", found[name])
    assert abs(datetime.fromisoformat(found["booked_at"]) - before) < timedelta(seconds=10)
    assert client.get(f"{PATH}/{found['id']}").get_json() == found


@pytest.mark.parametrize("reason", [None, "", "   ", "\u3000"])
def test_a_blank_reason_is_none(
    client: FlaskClient, three: Offer, nobody: int, reason: str | None
) -> None:
    assert book(client, three.slots[0], nobody, reason=reason)["reason"] is None


@pytest.mark.parametrize(
    "reason", ["\x01", "\u200b", "'; DROP TABLE slot; --", "%s %(a)s", "x" * 200]
)
def test_odd_reasons_are_kept(client: FlaskClient, three: Offer, nobody: int, reason: str) -> None:
    assert book(client, three.slots[0], nobody, reason=reason)["reason"] == reason


def test_a_slot_is_booked_once(app: Flask, client: FlaskClient, three: Offer, nobody: int) -> None:
    wanted = {"slot_id": three.slots[0], "patient_id": nobody}
    book(client, **wanted)
    assert_problem(client.post(PATH, json=wanted), 409, "conflict")
    assert standing(app, three.slots[0]) == 1


def test_what_has_begun_cannot_be_booked(app: Flask, client: FlaskClient, nobody: int) -> None:
    past = offer(app, 1, [datetime.now(UTC) - timedelta(minutes=1)])
    wanted = {"slot_id": past.slots[0], "patient_id": nobody}
    problem = assert_problem(client.post(PATH, json=wanted), 409, "conflict")
    assert "begun" in problem["detail"]
    assert standing(app, past.slots[0]) == 0


def test_unknown_slots_patients_and_appointments(
    app: Flask, client: FlaskClient, three: Offer, nobody: int
) -> None:
    mine = book(client, three.slots[0], nobody)["id"]
    no_slot = {"slot_id": NOWHERE, "patient_id": nobody}
    no_patient = {"slot_id": three.slots[1], "patient_id": NOWHERE}
    for answer in (
        client.post(PATH, json=no_slot),
        client.post(PATH, json=no_patient),
        client.post(f"{PATH}/{mine}/reschedule", json={"slot_id": NOWHERE}),
        client.post(f"{PATH}/{NOWHERE}/reschedule", json={"slot_id": three.slots[1]}),
        client.post(f"{PATH}/{NOWHERE}/cancel"),
        client.get(f"{PATH}/{NOWHERE}"),
        client.get(f"{PATH}/{10**40}"),
    ):
        assert_problem(answer, 404, "not_found")
    assert [standing(app, slot) for slot in three.slots] == [1, 0, 0]


def test_rescheduling_moves(app: Flask, client: FlaskClient, three: Offer, nobody: int) -> None:
    mine = book(client, three.slots[0], nobody)
    moved = client.post(f"{PATH}/{mine['id']}/reschedule", json={"slot_id": three.slots[2]})
    assert moved.status_code == 200
    assert moved.get_json()["slot_id"] == three.slots[2]
    assert moved.get_json()["starts_at"] > mine["starts_at"]
    assert [standing(app, slot) for slot in three.slots] == [0, 0, 1]


def test_rescheduling_to_the_same_slot_changes_nothing(
    client: FlaskClient, three: Offer, nobody: int
) -> None:
    mine = book(client, three.slots[0], nobody)
    answer = client.post(f"{PATH}/{mine['id']}/reschedule", json={"slot_id": three.slots[0]})
    assert (answer.status_code, answer.get_json()) == (200, mine)


def test_rescheduling_to_a_taken_slot_is_refused(
    app: Flask, client: FlaskClient, three: Offer, nobody: int
) -> None:
    mine = book(client, three.slots[0], nobody)["id"]
    book(client, three.slots[1], nobody)
    answer = client.post(f"{PATH}/{mine}/reschedule", json={"slot_id": three.slots[1]})
    assert_problem(answer, 409, "conflict")
    assert [standing(app, slot) for slot in three.slots] == [1, 1, 0]


def test_cancelling_frees_the_slot(
    app: Flask, client: FlaskClient, three: Offer, nobody: int
) -> None:
    mine = book(client, three.slots[0], nobody)
    first = client.post(f"{PATH}/{mine['id']}/cancel")
    assert (first.status_code, first.get_json()["status"]) == (200, "cancelled")
    assert client.post(f"{PATH}/{mine['id']}/cancel").get_json() == first.get_json()
    assert standing(app, three.slots[0]) == 0
    book(client, three.slots[0], nobody)
    client.post(f"{PATH}/{mine['id']}/cancel")
    assert standing(app, three.slots[0]) == 1


def test_what_has_begun_can_be_neither_moved_nor_cancelled(
    app: Flask, client: FlaskClient, three: Offer, nobody: int
) -> None:
    mine = book(client, three.slots[0], nobody)["id"]
    begin(app, three.slots[0])
    for answer in (
        client.post(f"{PATH}/{mine}/reschedule", json={"slot_id": three.slots[1]}),
        client.post(f"{PATH}/{mine}/cancel"),
    ):
        problem = assert_problem(answer, 409, "conflict")
        assert problem["detail"].startswith("The appointment has begun; ")
    same = client.post(f"{PATH}/{mine}/reschedule", json={"slot_id": three.slots[0]})
    assert (same.status_code, same.get_json()["status"]) == (200, "booked")
    assert [standing(app, slot) for slot in three.slots] == [1, 0, 0]


def test_what_was_cancelled_before_it_began_stays_so(
    app: Flask, client: FlaskClient, three: Offer, nobody: int
) -> None:
    mine = book(client, three.slots[0], nobody)["id"]
    first = client.post(f"{PATH}/{mine}/cancel").get_json()
    begin(app, three.slots[0])
    again = client.post(f"{PATH}/{mine}/cancel")
    assert again.status_code == 200
    assert again.get_json()["cancelled_at"] == first["cancelled_at"]


def test_what_is_cancelled_cannot_be_moved(client: FlaskClient, three: Offer, nobody: int) -> None:
    mine = book(client, three.slots[0], nobody)["id"]
    client.post(f"{PATH}/{mine}/cancel")
    answer = client.post(f"{PATH}/{mine}/reschedule", json={"slot_id": three.slots[1]})
    assert_problem(answer, 409, "conflict")
