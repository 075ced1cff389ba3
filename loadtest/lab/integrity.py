"""What must hold after any fault: acknowledged bookings are there, and no slot is booked twice."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from loadtest.lab.errors import LabError
from loadtest.lab.targets import Target

AT_ONCE = 500  # ids in one question
TWICE = (
    "SELECT slot_id FROM appointment WHERE cancelled_at IS NULL "
    "GROUP BY slot_id HAVING COUNT(*) > 1"
)


def broken(target: Target, bookings: Path) -> list[str] | None:
    """Return what does not hold, in words; None where the database cannot be asked.

    Args:
        bookings: the log of what was answered 201.
    """
    try:
        twice = [int(row[0]) for row in target.sql(TWICE)]
        lost = sorted(set(_lost(target, _ids(bookings))))
    except LabError:
        return None
    found = []
    if twice:
        found.append(f"{len(twice)} slots are booked twice, such as {_some(twice)}")
    if lost:
        found.append(
            f"{len(lost)} bookings that were answered 201 are not in the database, such as "
            f"{_some(lost)}"
        )
    return found


def _ids(bookings: Path) -> list[int]:
    lines = bookings.read_text().splitlines() if bookings.exists() else []
    return [json.loads(line)["appointment_id"] for line in lines if line.endswith("}")]


def _lost(target: Target, ids: Sequence[int]) -> Iterator[int]:
    rest = iter(ids)
    while part := list(islice(rest, AT_ONCE)):
        listed = ", ".join(str(int(one)) for one in part)
        rows = target.sql(f"SELECT id FROM appointment WHERE id IN ({listed})")  # noqa: S608
        yield from set(part) - {int(row[0]) for row in rows}


def _some(numbers: Sequence[int]) -> str:
    return ", ".join(str(one) for one in numbers[:3])
