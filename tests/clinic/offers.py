"""Slots of a test's own, so that tests do not meet in each other's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy import Connection, Engine, func, insert, select, text
from sqlalchemy.orm import Session

from app.clinic.models import Appointment, Clinician, Patient, Slot
from app.database import db

# Beyond the sample data, so that lists from now begin with that.
FIRST = (datetime.now(UTC) + timedelta(days=400)).replace(microsecond=0)
LENGTH = timedelta(minutes=30)

_numbers = count(1)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Offer:
    """A clinician and their free slots, soonest first."""

    clinician_id: int
    specialty: str
    slots: Sequence[int]


def offer(app: Flask, slots: int, starts: Sequence[datetime] | None = None) -> Offer:
    """A new clinician of a specialty of their own with *slots* free slots."""
    times = starts or [FIRST + i * LENGTH for i in range(slots)]
    specialty = f"Test {next(_numbers)}"
    with app.app_context(), db.engine.begin() as connection:
        clinician = _insert(connection, Clinician, name="Dr Test", specialty=specialty)
        ids = [
            _insert(
                connection,
                Slot,
                clinician_id=clinician,
                specialty=specialty,
                starts_at=time,
                ends_at=time + LENGTH,
            )
            for time in times
        ]
    return Offer(clinician, specialty, ids)


def patient(app: Flask) -> int:
    """A new patient."""
    number = next(_numbers)
    with app.app_context(), db.engine.begin() as connection:
        return _insert(
            connection,
            Patient,
            name=f"Test {number}",
            email=f"test{number}@example.net",
            born=datetime(1990, 1, 1, tzinfo=UTC).date(),
        )


def begin(app: Flask, slot_id: int) -> None:
    """Have a slot begun, long ago."""
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(
            text("UPDATE slot SET starts_at = starts_at - INTERVAL 500 DAY WHERE id = :slot"),
            {"slot": slot_id},
        )


def standing(app: Flask, slot_id: int) -> int:
    """How many appointments stand on a slot; checks that the slot's own column agrees."""
    with app.app_context(), db.engine.connect() as connection:
        query = select(func.count()).select_from(Appointment)
        found = connection.scalar(
            query.where(Appointment.slot_id == slot_id, Appointment.cancelled_at.is_(None))
        )
        free = connection.scalar(select(Slot.is_free).where(Slot.id == slot_id))
    assert free is (found == 0)
    return found or 0


def disagreements(engine: Engine, slots: Sequence[int]) -> list[Any]:
    """Those of *slots* whose ``is_free`` is not what the appointments say, or booked twice."""
    query = text(
        "SELECT slot.id, is_free, COUNT(appointment.id) FROM slot LEFT JOIN appointment "
        "ON slot_id = slot.id AND cancelled_at IS NULL WHERE slot.id IN :slots "
        "GROUP BY slot.id, is_free HAVING is_free + COUNT(appointment.id) <> 1"
    )
    with engine.connect() as connection:
        return list(connection.execute(query, {"slots": tuple(slots)}))


def reads(session: Session) -> int:
    """Rows and index entries that the session has read; MariaDB counts some of them apart."""
    status = session.execute(text("SHOW SESSION STATUS LIKE 'Handler%'")).all()
    return sum(
        int(value)
        for name, value in status
        if name.startswith("Handler_read") or name == "Handler_icp_attempts"
    )


def _insert(connection: Connection, model: Any, **values: Any) -> int:
    key = connection.execute(insert(model).values(**values)).inserted_primary_key
    assert key
    identifier: int = key[0]
    return identifier
