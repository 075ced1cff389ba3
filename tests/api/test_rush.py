"""Many at once, as gunicorn serves them: two workers, sixteen threads, a pool of 4+2 each."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from itertools import cycle, islice

from flask import Flask

from app.database import db
from tests.api.serving import Answer, Served, at_once
from tests.clinic.offers import Offer, disagreements, offer, patient, standing

PATH = "/api/v1/appointments"


def booking(served: Served, slot_id: int, patient_id: int, key: str = "") -> Callable[[], Answer]:
    wanted = {"slot_id": slot_id, "patient_id": patient_id}
    headers = {"Idempotency-Key": key} if key else {}
    return lambda: served.post(PATH, wanted, **headers)


def test_one_of_two_hundred_gets_the_slot(app: Flask, served: Served, three: Offer) -> None:
    attempts = [booking(served, three.slots[0], patient_id + 1) for patient_id in range(200)]
    answers = at_once(attempts, threads=200)
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 199}
    assert {a.headers["Content-Type"] for a in answers if a.status == 409} == {
        "application/problem+json"
    }
    assert standing(app, three.slots[0]) == 1


def test_twenty_retries_at_once_are_one_booking(app: Flask, served: Served, three: Offer) -> None:
    mine, key = patient(app), uuid.uuid4().hex
    answers = at_once([booking(served, three.slots[0], mine, key)] * 20)
    assert [answer.status for answer in answers] == [201] * 20
    assert len({answer.body for answer in answers}) == 1
    assert len(served.get(f"/api/v1/patients/{mine}/appointments").json["items"]) == 1


def test_twenty_retries_of_what_fails_all_fail_alike(served: Served, three: Offer) -> None:
    assert booking(served, three.slots[0], 1)().status == 201
    answers = at_once([booking(served, three.slots[0], 2, uuid.uuid4().hex)] * 20)
    assert Counter(answer.status for answer in answers) == {409: 20}


def test_a_key_used_for_two_slots_at_once_books_one(app: Flask, served: Served) -> None:
    mine, key = offer(app, 20), uuid.uuid4().hex
    answers = at_once([booking(served, slot, 1, key) for slot in mine.slots])
    assert Counter(answer.status for answer in answers) == {201: 1, 422: 19}
    assert sum(standing(app, slot) for slot in mine.slots) == 1


def test_swapping_slots_never_fails(app: Flask, served: Served) -> None:
    """Two patients pass three slots to each other, both ways round."""
    mine = offer(app, 3)
    first = booking(served, mine.slots[0], 1)().json["id"]
    second = booking(served, mine.slots[1], 2)().json["id"]

    def move(appointment: int, slot_id: int) -> Callable[[], Answer]:
        return lambda: served.post(f"{PATH}/{appointment}/reschedule", {"slot_id": slot_id})

    moves = [move(first, slot) for slot in islice(cycle(mine.slots), 60)]
    back = [move(second, slot) for slot in islice(cycle(reversed(mine.slots)), 60)]
    pairs = [task for pair in zip(moves, back, strict=True) for task in pair]
    statuses = Counter(answer.status for answer in at_once(pairs, threads=16))
    assert set(statuses) <= {200, 409}
    assert statuses[200] > 10
    with app.app_context():
        assert disagreements(db.engine, mine.slots) == []
    assert sum(standing(app, slot) for slot in mine.slots) == 2


def test_a_mixed_rush_keeps_slots_and_appointments_together(app: Flask, served: Served) -> None:
    mine = offer(app, 6)

    def visit(number: int) -> list[int]:
        slot, other = (mine.slots[(number + step) % 6] for step in (0, 1))
        booked = booking(served, slot, number % 50 + 1, uuid.uuid4().hex)()
        if booked.status != 201:
            return [booked.status]
        path = f"{PATH}/{booked.json['id']}"
        moved = served.post(f"{path}/reschedule", {"slot_id": other})
        return [booked.status, moved.status, served.post(f"{path}/cancel").status]

    def task(number: int) -> Callable[[], list[int]]:
        return lambda: visit(number)

    answers = at_once([task(number) for number in range(150)], threads=24)
    statuses = Counter(status for visited in answers for status in visited)
    assert set(statuses) <= {200, 201, 409}
    with app.app_context():
        assert disagreements(db.engine, mine.slots) == []
    assert sum(standing(app, slot) for slot in mine.slots) == 0
