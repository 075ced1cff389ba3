"""Whether bookings were kept, asked of databases that are made up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.lab.integrity import broken
from loadtest.lab.targets import Remote, Rows
from loadtest.records import BookingLog


class Database(Remote):
    """Has these appointments, and slots that are booked twice."""

    def __init__(self, appointments: set[int], twice: list[int]) -> None:
        super().__init__("http://x", "http://x/metrics", None)
        self.appointments, self.twice = appointments, twice
        self.longest = 0

    def sql(self, statement: str, *, may_fail: bool = False) -> Rows:
        if "HAVING" in statement:
            return [(str(slot),) for slot in self.twice]
        asked = [int(number) for number in re.findall(r"\d+", statement)]
        self.longest = max(self.longest, len(asked))
        return [(str(one),) for one in asked if one in self.appointments]


@pytest.fixture
def bookings(tmp_path: Path) -> Path:
    """Appointments 1 to 1200 were answered 201; then the disk was full."""
    path = tmp_path / "bookings.jsonl"
    log = BookingLog(path)
    for number in range(1, 1201):
        appointment: dict[str, Any] = {"id": number, "slot_id": number, "patient_id": 1}
        log.record(appointment)
    log.close()
    with path.open("a") as lines:
        lines.write('{"appointment_id": 1201, "slo')
    return path


def test_what_was_acknowledged_and_is_there_is_not_broken(bookings: Path) -> None:
    database = Database(set(range(2000)), [])
    assert broken(database, bookings) == []
    assert database.longest < 1200, "a statement is not as long as a run"


def test_what_is_lost_or_booked_twice_is_told(bookings: Path) -> None:
    there = set(range(2000)) - {7, 600, 601, 1200}
    twice, lost = broken(Database(there, [31]), bookings) or []
    assert twice == "1 slots are booked twice, such as 31"
    assert lost.startswith("4 bookings that were answered 201 are not in the database")
    assert lost.endswith("such as 7, 600, 601")


def test_without_bookings_only_slots_can_be_booked_twice(tmp_path: Path) -> None:
    assert broken(Database(set(), []), tmp_path / "none") == []
    assert len(broken(Database(set(), [5, 6]), tmp_path / "none") or []) == 1


def test_a_database_that_cannot_be_asked_is_no_answer(bookings: Path) -> None:
    assert broken(Remote("http://x", "http://x/metrics", None), bookings) is None
