"""What can arrive: one action each, by name, as scenarios write it."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random

from loadtest.clinic import Clinic
from loadtest.directory import RANDOM, Directory

EXPONENTIAL = re.compile(r"\{exponential:([\d.]+)\}")
BOOKING_HORIZON = 28  # days
REPORT_PERIOD = 28  # days


def days_from_now(days: float) -> str:
    """Return a point in time as the API writes it."""
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def search(clinic: Clinic, directory: Directory) -> None:
    """Look at a page of free slots."""
    clinic.free_slots(**directory.slot_filter())


def appointments(clinic: Clinic, directory: Directory) -> None:
    """Look at a patient's appointments."""
    clinic.appointments_of(directory.patient())


def book(clinic: Clinic, directory: Directory) -> None:
    """Search, then book one of the slots found."""
    start = days_from_now(RANDOM.uniform(0, BOOKING_HORIZON))
    slots, _ = clinic.free_slots(**directory.slot_filter(), **{"from": start})
    if slots:
        clinic.book(RANDOM.choice(slots)["id"], directory.patient())


def report(clinic: Clinic, directory: Directory) -> None:
    """Ask for the utilisation report, as a clinic's manager does."""
    clinic.utilisation(days_from_now(-REPORT_PERIOD), days_from_now(REPORT_PERIOD))


def contact(clinic: Clinic, directory: Directory) -> None:
    """Look at how to reach a patient."""
    clinic.contact_of(directory.patient())


def change_phone(clinic: Clinic, directory: Directory) -> None:
    """Give a patient another telephone number, as people type it."""
    clinic.change_phone(directory.patient(), f"030 {RANDOM.randrange(10**6, 10**7)}")


def register(clinic: Clinic, directory: Directory) -> None:
    """Register somebody new."""
    clinic.register(f"Visitor {RANDOM.randrange(10**6)}")


NAMED: dict[str, Callable[[Clinic, Directory], None]] = {
    "search": search,
    "appointments": appointments,
    "book": book,
    "report": report,
    "contact": contact,
    "change_phone": change_phone,
    "register": register,
}


def perform(action: str, clinic: Clinic, directory: Directory) -> None:
    """Do what *action* says: a name, or a request such as ``GET /lab/hold?seconds=0.05``."""
    method, space, path = action.partition(" ")
    if space:
        clinic.ask(method, path)
    else:
        NAMED[action](clinic, directory)


def choice(mix: Mapping[str, float], chance: Random) -> str:
    """Return one action of *mix*, by weight.

    ``{exponential:MEAN}`` in it becomes a number of that distribution, as exponential holds need.
    """
    action = chance.choices(list(mix), list(mix.values()))[0]
    return EXPONENTIAL.sub(lambda mean: f"{chance.expovariate(1 / float(mean[1])):.6f}", action)
