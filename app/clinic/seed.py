"""Synthetic data, the same for the same seed and start."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, TableClause, insert

from app.clinic import phones
from app.clinic.models import Appointment, Clinician, Slot
from app.clinic.patients import PATIENT

SPECIALTIES = (
    "Cardiology", "Dermatology", "Endocrinology", "General practice",
    "Neurology", "Orthopaedics", "Paediatrics", "Psychiatry",
)  # fmt: skip
FIRST_NAMES = (
    "Amara", "Bilal", "Chen", "Dolores", "Emil", "Fatou", "Goran", "Hana", "Ines", "Jonas",
    "Kofi", "Leila", "Mateo", "Nadia", "Oskar", "Priya", "Quinn", "Rosa", "Sven", "Tomoko",
)  # fmt: skip
LAST_NAMES = (
    "Abara", "Bianchi", "Castillo", "Dubois", "Eriksen", "Ferrari", "Garcia", "Haddad", "Ivanova",
    "Jansen", "Kowalski", "Larsen", "Moreau", "Nakamura", "Okafor", "Petrov", "Rossi", "Silva",
    "Tanaka", "Weber",
)  # fmt: skip
REASONS = ("Check-up", "First visit", "Follow-up", "Results", None)

SLOTS_PER_PATIENT = 3
SLOTS_PER_CLINICIAN = 750
SLOTS_PER_DAY = 16
SLOT_LENGTH = timedelta(minutes=30)
DAY_BEGINS = time(9, tzinfo=UTC)
BATCH = 2000
TRANSACTION = 100_000  # rows; the server keeps all of them in a temporary file until the commit

Rows = Iterator[dict[str, Any]]


def sizes(patients: int) -> dict[str, int]:
    """How many rows each table gets for this number of patients."""
    slots = patients * SLOTS_PER_PATIENT
    clinicians = max(len(SPECIALTIES), -(-slots // SLOTS_PER_CLINICIAN))
    return {"clinician": clinicians, "patient": patients, "slot": slots, "appointment": patients}


def fill(
    connection: Connection,
    patients: int,
    seed: int,
    start: date,
    progress: Callable[[int], None],
) -> None:
    """Fill empty tables, in batches.

    Args:
        connection: a connection without a transaction.
        patients: how many patients; :func:`sizes` tells what else.
        seed: of the random generator.
        start: day of the first slots.
        progress: called with the number of rows after each batch.
    """
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    wanted = sizes(patients)
    booked = chance.sample(range(1, wanted["slot"] + 1), wanted["appointment"])
    layout = phones.held(connection)
    connection.rollback()
    tables: list[tuple[Any, Rows]] = [
        (Clinician.__table__, _clinicians(chance, wanted["clinician"])),
        (PATIENT, _patients(chance, patients, layout)),
        (Slot.__table__, _slots(wanted["slot"], wanted["clinician"], start, frozenset(booked))),
        (Appointment.__table__, _appointments(chance, booked, patients, start)),
    ]
    for table, rows in tables:
        while _insert(connection, table, islice(rows, TRANSACTION), progress):
            pass


def _insert(
    connection: Connection, table: TableClause, rows: Rows, progress: Callable[[int], None]
) -> int:
    inserted = 0
    with connection.begin():
        while batch := list(islice(rows, BATCH)):
            connection.execute(insert(table), batch)
            progress(len(batch))
            inserted += len(batch)
    return inserted


def _clinicians(chance: random.Random, number: int) -> Rows:
    for i in range(number):
        yield {
            "id": i + 1,
            "name": f"Dr {_name(chance)}",
            "specialty": _specialty(i),
        }


def _patients(chance: random.Random, number: int, layout: phones.Layout) -> Rows:
    for i in range(1, number + 1):
        name = _name(chance)
        local = f"{chance.randrange(10**7):07}" if chance.random() < 0.8 else None
        typed, standard = (f"+49 30 {local}", f"+4930{local}") if local else (None, None)
        yield {
            "id": i,
            "name": name,
            "email": f"patient{i}@example.org",
            "born": date(1930, 1, 1) + timedelta(days=chance.randrange(33_000)),
            **phones.columns(layout, typed, standard),
        }


def _slots(number: int, clinicians: int, start: date, booked: frozenset[int]) -> Rows:
    first = datetime.combine(start, DAY_BEGINS)
    for i in range(number):
        turn, clinician = divmod(i, clinicians)
        day, position = divmod(turn, SLOTS_PER_DAY)
        begins = first + timedelta(days=day) + position * SLOT_LENGTH
        yield {
            "id": i + 1,
            "clinician_id": clinician + 1,
            "specialty": _specialty(clinician),
            "starts_at": begins,
            "ends_at": begins + SLOT_LENGTH,
            "is_free": i + 1 not in booked,
        }


def _appointments(chance: random.Random, booked: list[int], patients: int, start: date) -> Rows:
    opened = datetime.combine(start, time(tzinfo=UTC)) - timedelta(days=30)
    for i, slot_id in enumerate(booked, 1):
        yield {
            "id": i,
            "slot_id": slot_id,
            "patient_id": chance.randrange(patients) + 1,
            "reason": chance.choice(REASONS),
            "booked_at": opened + timedelta(seconds=chance.randrange(29 * 86_400)),
        }


def _specialty(clinician: int) -> str:
    return SPECIALTIES[clinician % len(SPECIALTIES)]


def _name(chance: random.Random) -> str:
    return f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}"
