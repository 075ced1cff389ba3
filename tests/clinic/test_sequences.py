"""Whatever is booked, moved and cancelled, slots and appointments agree."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from app.clinic import booking
from app.clinic.errors import Conflict
from app.database import db, transaction
from tests.clinic.offers import begin, disagreements, offer, standing

SLOTS = 4
slot_numbers = st.integers(0, SLOTS - 1)


class Bookings(RuleBasedStateMachine):
    """Books, moves, cancels and lets time pass; knows which appointment has which slot."""

    application: Flask
    appointments = Bundle("appointments")

    def __init__(self) -> None:
        super().__init__()
        self.slots = offer(self.application, SLOTS).slots
        self.holders: dict[int, int] = {}  # appointment by slot
        self.begun: set[int] = set()  # slots

    def act(self, work: Any, *arguments: Any) -> Any:
        """The result of *work*, or the conflict that it raised."""

        def run(session: Session) -> Any:
            return work(session, *arguments)

        with self.application.app_context():
            try:
                return transaction(run)
            except Conflict as conflict:
                return conflict

    def slot_of(self, appointment: int) -> int | None:
        return next((slot for slot, holder in self.holders.items() if holder == appointment), None)

    @rule(target=appointments, number=slot_numbers, patient=st.integers(1, 200))
    def book(self, number: int, patient: int) -> Any:
        slot = self.slots[number]
        result = self.act(booking.book, slot, patient)
        assert isinstance(result, Conflict) == (slot in self.holders or slot in self.begun)
        if isinstance(result, Conflict):
            return multiple()
        self.holders[slot] = result.id
        return result.id

    @rule(appointment=appointments, number=slot_numbers)
    def reschedule(self, appointment: int, number: int) -> None:
        current, slot = self.slot_of(appointment), self.slots[number]
        result = self.act(booking.reschedule, appointment, slot)
        allowed = current is not None and (
            slot == current or (not {slot, current} & self.begun and slot not in self.holders)
        )
        assert isinstance(result, Conflict) != allowed
        if allowed and current is not None:
            del self.holders[current]
            self.holders[slot] = appointment

    @rule(appointment=appointments)
    def cancel(self, appointment: int) -> None:
        current = self.slot_of(appointment)
        result = self.act(booking.cancel, appointment)
        assert isinstance(result, Conflict) == (current in self.begun)
        if not isinstance(result, Conflict):
            assert result.cancelled_at is not None
            self.holders = {s: holder for s, holder in self.holders.items() if s != current}

    @rule(number=st.integers(0, 1))  # the others stay free to be booked
    def begin(self, number: int) -> None:
        slot = self.slots[number]
        if slot not in self.begun:
            begin(self.application, slot)
            self.begun.add(slot)

    @invariant()
    def slots_and_appointments_agree(self) -> None:
        with self.application.app_context():
            assert disagreements(db.engine, self.slots) == []
        for slot in self.slots:
            assert standing(self.application, slot) == (slot in self.holders)


@pytest.mark.usefixtures("client")
def test_any_sequence(app: Flask) -> None:
    machine = type("Machine", (Bookings,), {"application": app})
    bounds = settings(
        max_examples=20,
        stateful_step_count=15,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(machine, settings=bounds)
