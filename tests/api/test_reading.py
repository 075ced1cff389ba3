"""Lists: filters, pages and their order."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.problems import assert_problem
from tests.clinic.offers import FIRST, LENGTH, Offer, offer
from tests.clinic.offers import patient as new_patient

RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def pages(client: FlaskClient, path: str, **query: Any) -> list[list[dict[str, Any]]]:
    """All pages of a list, by its own cursors."""
    found = []
    after: dict[str, Any] = {}
    while True:
        answer = client.get(path, query_string={**query, **after})
        assert answer.status_code == 200, answer.text
        found.append(answer.get_json()["items"])
        if answer.get_json()["next"] is None:
            return found
        after = {"after": answer.get_json()["next"]}


def items(client: FlaskClient, path: str, **query: Any) -> list[dict[str, Any]]:
    return [item for page in pages(client, path, **query) for item in page]


@pytest.mark.parametrize("path", ["/api/v1/clinicians", "/api/v1/patients"])
def test_lists_by_id_are_walked_once_and_in_order(client: FlaskClient, path: str) -> None:
    found = [item["id"] for item in items(client, path, limit=7)]
    assert found == sorted(set(found))
    assert found == [item["id"] for item in items(client, path, limit=100)]


def test_clinicians_of_a_specialty(client: FlaskClient, three: Offer) -> None:
    (found,) = items(client, "/api/v1/clinicians", specialty=three.specialty)
    assert found == {"id": three.clinician_id, "name": "Dr Test", "specialty": three.specialty}
    assert items(client, "/api/v1/clinicians", specialty="Alchemy") == []


def test_slots_come_soonest_first_from_now(client: FlaskClient) -> None:
    found = items(client, "/api/v1/slots", limit=100)
    order = [(slot["starts_at"], slot["id"]) for slot in found]
    assert order == sorted(set(order))
    assert datetime.fromisoformat(order[0][0]) > datetime.now(UTC)


def test_a_slot_is_answered_whole_and_in_utc(client: FlaskClient, three: Offer) -> None:
    slot = items(client, "/api/v1/slots", clinician_id=three.clinician_id)[0]
    assert RFC_3339_UTC.fullmatch(slot["starts_at"])
    assert datetime.fromisoformat(slot["starts_at"]) == FIRST
    assert datetime.fromisoformat(slot["ends_at"]) == FIRST + LENGTH
    assert slot["id"] == three.slots[0]
    assert (slot["clinician"], slot["specialty"]) == ("Dr Test", three.specialty)


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_pages_of_slots_that_start_together(app: Flask, client: FlaskClient, limit: int) -> None:
    mine = [offer(app, 3) for _ in range(2)]
    query = {"from": FIRST.isoformat(), "to": (FIRST + 3 * LENGTH).isoformat(), "limit": limit}
    found = [slot["id"] for slot in items(client, "/api/v1/slots", **query)]
    by_start = [
        slot for together in zip(*(o.slots for o in mine), strict=True) for slot in together
    ]
    assert [slot for slot in found if slot in by_start] == by_start


def test_slots_by_clinician_specialty_and_time(client: FlaskClient, three: Offer) -> None:
    def found(**query: Any) -> list[int]:
        return [slot["id"] for slot in items(client, "/api/v1/slots", limit=2, **query)]

    mine = list(three.slots)
    assert found(clinician_id=three.clinician_id) == mine
    assert found(specialty=three.specialty) == mine
    assert found(clinician_id=three.clinician_id, specialty=three.specialty) == mine
    assert found(clinician_id=three.clinician_id, specialty="Neurology") == []
    second = {"specialty": three.specialty, "from": (FIRST + LENGTH).isoformat()}
    assert found(**second) == mine[1:]
    assert found(**second, to=(FIRST + 2 * LENGTH).isoformat()) == mine[1:2]


def test_times_of_other_zones_are_understood(client: FlaskClient, three: Offer) -> None:
    local = (FIRST + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    query = {"clinician_id": three.clinician_id, "from": local}
    assert [slot["id"] for slot in items(client, "/api/v1/slots", **query)] == list(three.slots)


def test_slots_booked_meanwhile_disturb_no_page(app: Flask, client: FlaskClient) -> None:
    mine = offer(app, 9)
    path = f"/api/v1/slots?clinician_id={mine.clinician_id}&limit=3"
    first = client.get(path).get_json()
    booked = [mine.slots[0], mine.slots[2], mine.slots[5]]  # before, at and after the cursor
    for slot_id in booked:
        wanted = {"slot_id": slot_id, "patient_id": 1}
        assert client.post("/api/v1/appointments", json=wanted).status_code == 201
    second = client.get(f"{path}&after={first['next']}").get_json()
    third = client.get(f"{path}&after={second['next']}").get_json()
    seen = [slot["id"] for page in (first, second, third) for slot in page["items"]]
    assert seen == [slot for slot in mine.slots if slot != mine.slots[5]]
    assert third["next"] is None


def test_appointments_of_a_patient_in_the_order_of_booking(app: Flask, client: FlaskClient) -> None:
    patient_id, mine = new_patient(app), offer(app, 5)
    path = f"/api/v1/patients/{patient_id}/appointments"
    assert items(client, path) == []
    booked = []
    for slot_id in reversed(mine.slots):
        wanted = {"slot_id": slot_id, "patient_id": patient_id}
        booked.append(client.post("/api/v1/appointments", json=wanted).get_json())
    assert items(client, path, limit=2) == booked
    assert_problem(client.get("/api/v1/patients/999999999/appointments"), 404, "not_found")


def test_utilisation_counts_what_is_booked(client: FlaskClient, three: Offer) -> None:
    wanted = {"slot_id": three.slots[1], "patient_id": 1}
    client.post("/api/v1/appointments", json=wanted)
    query = {"from": FIRST.isoformat(), "to": (FIRST + 2 * LENGTH).isoformat()}
    report = client.get("/api/v1/reports/utilisation", query_string=query).get_json()["items"]
    (mine,) = (row for row in report if row["clinician_id"] == three.clinician_id)
    assert (mine["slots"], mine["booked"], mine["utilisation"]) == (2, 1, 0.5)
    by_default = client.get("/api/v1/reports/utilisation").get_json()["items"]
    assert three.clinician_id not in [row["clinician_id"] for row in by_default]


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "WzFd", "W10", "bnVsbA", "WyJhIiwgMV0", "\x00", "é", "W1tbW1tbW1tb" * 300,
     "WyIyMDI2LTExLTIzVDA5OjAwOjAwIiwgMV0",  # a time without zone
     "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwgMV0",  # a time before the year 1
     "WyIyMDI2LTExLTIzVDA5OjAwOjAwKzAwOjAwIiwgdHJ1ZV0",  # true for an id
     "WyIyMDI2LTExLTIzVDA5OjAwOjAwKzAwOjAwIiwgOTIyMzM3MjAzNjg1NDc3NTgwOF0"],  # 2**63
)  # fmt: skip
def test_forged_cursors_are_refused(client: FlaskClient, cursor: str) -> None:
    answer = client.get("/api/v1/slots", query_string={"after": cursor})
    problem = assert_problem(answer, 422, "invalid_cursor")
    assert problem["errors"]["query"]["after"]
