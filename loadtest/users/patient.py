"""Patients: mostly look for a free slot, sometimes book, move or cancel an appointment."""

from collections import deque
from typing import Any

from locust import FastHttpUser, between, task

from loadtest.actions import BOOKING_HORIZON, REPORT_PERIOD, days_from_now
from loadtest.clinic import Clinic
from loadtest.directory import RANDOM
from loadtest.hooks import Run


class Patient(FastHttpUser):
    """One person at the booking page, with the appointments that he or she made."""

    wait_time = between(0.3, 0.9)
    weight = 1
    connection_timeout = 3.0
    network_timeout = 15.0  # as long as nginx waits for the application

    def on_start(self) -> None:
        """Choose who this is."""
        self.clinic = Clinic(self.client)
        self.patient_id = Run.directory.patient()
        self.mine: deque[int] = deque(maxlen=20)

    @task(12)
    def browse(self) -> None:
        """Look at free slots, and at a second page now and then."""
        query = self._search()
        _, after = self.clinic.free_slots(**query)
        if after and RANDOM.random() < 0.3:
            self.clinic.free_slots(**query, after=after)

    @task(5)
    def view_appointments(self) -> None:
        """Look at one's own appointments."""
        self.clinic.appointments_of(self.patient_id)

    @task(5)
    def book(self) -> None:
        """Search, then book one of the slots found."""
        slot = self._find_slot()
        appointment = self.clinic.book(slot, self.patient_id) if slot else None
        if appointment:
            self.mine.append(appointment["id"])

    @task(1)
    def reschedule(self) -> None:
        """Move the latest appointment."""
        slot = self._find_slot() if self.mine else None
        if slot:
            self.clinic.reschedule(self.mine[-1], slot)

    @task(3)
    def cancel(self) -> None:
        """Cancel the oldest appointment made here."""
        if self.mine and self.clinic.cancel(self.mine[0]):
            self.mine.popleft()

    @task(1)
    def report(self) -> None:
        """Ask for the utilisation report, as a clinic's manager does."""
        self.clinic.utilisation(days_from_now(-REPORT_PERIOD), days_from_now(REPORT_PERIOD))

    def _search(self) -> dict[str, Any]:
        query = Run.directory.slot_filter()
        if RANDOM.random() < 0.5:
            query["from"] = days_from_now(RANDOM.uniform(0, BOOKING_HORIZON))
        return query

    def _find_slot(self) -> int | None:
        slots, _ = self.clinic.free_slots(**self._search())
        return RANDOM.choice(slots)["id"] if slots else None
