"""What the database itself refuses, whatever the application does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.database import db, error_code
from tests.clinic.offers import Offer, offer

DUPLICATE, NO_PARENT = {1062}, {1452}
CHECK = {3819, 4025}  # MySQL, MariaDB

BOOK = "INSERT INTO appointment (slot_id, patient_id) VALUES (:slot, :patient)"
SLOT = (
    "INSERT INTO slot (clinician_id, specialty, starts_at, ends_at) "
    "VALUES (:clinician, :specialty, '2031-01-01 09:00', :ends)"
)


@pytest.fixture
def mine(app: Flask) -> Offer:
    return offer(app, 2)


@pytest.fixture
def connection(app: Flask, mine: Offer) -> Iterator[Connection]:
    """A transaction that is rolled back at the end."""
    with app.app_context(), db.engine.connect() as connection:
        yield connection
        connection.rollback()


def refusal(connection: Connection, statement: str, **values: Any) -> int | None:
    with pytest.raises(DBAPIError) as refused:
        connection.execute(text(statement), values)
    return error_code(refused.value)


def test_a_second_standing_booking(connection: Connection, mine: Offer) -> None:
    wanted = {"slot": mine.slots[0], "patient": 1}
    connection.execute(text(BOOK), wanted)
    assert refusal(connection, BOOK, **wanted) in DUPLICATE
    connection.execute(
        text("UPDATE appointment SET cancelled_at = NOW(6) WHERE slot_id = :slot"), wanted
    )
    connection.execute(text(BOOK), wanted)
    assert refusal(connection, BOOK, **wanted) in DUPLICATE


def test_moving_and_reviving_onto_a_standing_booking(connection: Connection, mine: Offer) -> None:
    for slot in mine.slots:
        connection.execute(text(BOOK), {"slot": slot, "patient": 1})
    move = "UPDATE appointment SET slot_id = :to WHERE slot_id = :slot"
    assert refusal(connection, move, to=mine.slots[0], slot=mine.slots[1]) in DUPLICATE
    cancel = "UPDATE appointment SET cancelled_at = NOW(6) WHERE slot_id = :slot"
    connection.execute(text(cancel), {"slot": mine.slots[0]})
    connection.execute(text(BOOK), {"slot": mine.slots[0], "patient": 1})
    revive = "UPDATE appointment SET cancelled_at = NULL WHERE slot_id = :slot"
    assert refusal(connection, revive, slot=mine.slots[0]) in DUPLICATE


@pytest.mark.parametrize("ends", ["2031-01-01 08:59", "2031-01-01 09:00"])
def test_an_end_not_after_the_start(connection: Connection, mine: Offer, ends: str) -> None:
    values = {"clinician": mine.clinician_id, "specialty": mine.specialty, "ends": ends}
    assert refusal(connection, SLOT, **values) in CHECK


def test_a_clinicians_time_offered_twice(connection: Connection, mine: Offer) -> None:
    values = {"clinician": mine.clinician_id, "specialty": mine.specialty}
    connection.execute(text(SLOT), {**values, "ends": "2031-01-01 09:30"})
    assert refusal(connection, SLOT, **values, ends="2031-01-01 10:00") in DUPLICATE


@pytest.mark.parametrize(("slot", "patient"), [(2**62, 1), (None, 2**62)])
def test_bookings_of_what_is_not_there(
    connection: Connection, mine: Offer, slot: int | None, patient: int
) -> None:
    assert refusal(connection, BOOK, slot=slot or mine.slots[0], patient=patient) in NO_PARENT


@pytest.mark.parametrize("other", ["clinician", "specialty"])
def test_slots_of_nobody_or_of_another_specialty(
    connection: Connection, mine: Offer, other: str
) -> None:
    values: dict[str, Any] = {"clinician": mine.clinician_id, "specialty": mine.specialty}
    values[other] = {"clinician": 2**62, "specialty": "Neurology"}[other]
    assert refusal(connection, SLOT, **values, ends="2031-01-01 09:30") in NO_PARENT


def test_a_clinicians_slots_follow_to_another_specialty(
    connection: Connection, mine: Offer
) -> None:
    move = text("UPDATE clinician SET specialty = 'Neurology' WHERE id = :id")
    connection.execute(move, {"id": mine.clinician_id})
    query = text("SELECT DISTINCT specialty FROM slot WHERE clinician_id = :id")
    assert connection.scalars(query, {"id": mine.clinician_id}).all() == ["Neurology"]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE appointment SET reason = '' WHERE id = 1", "UPDATE patient SET name = '' WHERE id = 1",
     "UPDATE clinician SET name = '' WHERE id = 1"],
)  # fmt: skip
def test_empty_texts(connection: Connection, statement: str) -> None:
    assert refusal(connection, statement) in CHECK
