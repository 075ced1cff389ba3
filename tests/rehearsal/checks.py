"""What must be the same after the rehearsal: rows that nobody changed, and what was written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from loadtest.records import Request
from tests.rehearsal.probe import Probe, standard
from tests.stack.stack import Stack

# Columns that the traffic leaves as they are, of the rows that were there before it.
UNTOUCHED = {
    "clinician": ("id", "name", "specialty"),
    "patient": ("id", "name", "email", "born"),
    "slot": ("id", "clinician_id", "specialty", "starts_at", "ends_at"),
    "appointment": ("id", "slot_id", "patient_id", "reason", "booked_at", "cancelled_at"),
}
FIRST_UNTOUCHED = 5000  # patients beyond keep the telephone numbers that they had


class Checks:
    """Takes checksums before the traffic, and compares after it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._last = {table: self._number(f"SELECT MAX(id) FROM {table}") for table in UNTOUCHED}
        self._before = self._checksums()

    def compare(self, probe: Probe, bookings: Path, registered: int) -> dict[str, bool]:
        """What holds: by what it says."""
        now = self._checksums()
        return {
            **{f"{name}: every row as before": now[name] == self._before[name] for name in now},
            "the probe read what it wrote": not probe.problems,
            "the probe's numbers are all there": self._numbers_kept(probe),
            "every booking that was answered is there": self._booked(bookings),
            "no slot is booked twice": not self._twice(),
            "everybody who registered is there": self._registered() == registered,
        }

    def _checksums(self) -> dict[str, list[list[str]]]:
        found = {
            table: self._checksum(table, columns, f"id <= {self._last[table]}")
            for table, columns in UNTOUCHED.items()
        }
        where = f"id > {FIRST_UNTOUCHED} AND id <= {self._last['patient']}"
        return {**found, "patient.phone": self._checksum("patient", ("id", "phone"), where)}

    def _checksum(self, table: str, columns: tuple[str, ...], where: str) -> list[list[str]]:
        row = ", ".join(f"COALESCE({column}, 'NULL')" for column in columns)
        digest = f"CONV(LEFT(SHA2(CONCAT_WS('#', {row}), 256), 15), 16, 10)"
        return self._stack.sql(
            f"SELECT COUNT(*), BIT_XOR({digest}), SUM({digest}) FROM {table} WHERE {where}"
        )

    def _numbers_kept(self, probe: Probe) -> bool:
        ids = ", ".join(map(str, probe.numbers))
        rows = self._stack.sql(f"SELECT id, phone FROM patient WHERE id IN ({ids})")
        return {int(key): standard(number) for key, number in rows} == probe.numbers

    def _booked(self, bookings: Path) -> bool:
        wanted = {
            (str(one["appointment_id"]), str(one["slot_id"]), str(one["patient_id"]))
            for one in map(json.loads, bookings.read_text().splitlines())
        }
        last = self._last["appointment"]
        query = f"SELECT id, slot_id, patient_id FROM appointment WHERE id > {last}"
        rows = self._stack.sql(query)
        return wanted <= {tuple(row) for row in rows}

    def _twice(self) -> list[list[str]]:
        return self._stack.sql(
            "SELECT slot_id FROM appointment WHERE cancelled_at IS NULL "
            "GROUP BY slot_id HAVING COUNT(*) > 1"
        )

    def _registered(self) -> int:
        return self._number("SELECT COUNT(*) FROM patient WHERE name LIKE 'Visitor %'")

    def _number(self, query: str) -> int:
        return int(self._stack.sql(query)[0][0])


def registered(requests: Iterable[Request]) -> int:
    """How many registrations of the load were answered well."""
    return sum(one.status == 201 and one.name.endswith("/patients") for one in requests)
