"""Analysts beside patients: their utilisation reports keep connections busy for long."""

from locust import FastHttpUser, between, task

from loadtest.actions import days_from_now
from loadtest.clinic import Clinic
from loadtest.directory import RANDOM
from loadtest.users.patient import Patient

__all__ = ["Analyst", "Patient"]  # Locust runs both, by weight


class Analyst(FastHttpUser):
    """Somebody who asks for one utilisation report after the other."""

    wait_time = between(0.1, 0.5)
    weight = 3
    connection_timeout = 3.0
    network_timeout = 15.0

    def on_start(self) -> None:
        """Open the clinic's API."""
        self.clinic = Clinic(self.client)

    @task
    def report(self) -> None:
        """Report on a period of two months up to a year."""
        self.clinic.utilisation(days_from_now(-RANDOM.uniform(30, 180)), days_from_now(180))
