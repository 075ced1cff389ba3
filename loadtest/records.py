"""What a run writes down line by line, complete however it ends."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class _Lines:
    """A file that is appended to, a line at once; several processes may share it.

    Raises OSError when the file cannot be opened. Without a path nothing is written.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("a", buffering=1) if path else None

    def close(self) -> None:
        """End it; it is complete without, too."""
        if self._file:
            self._file.close()

    def _write(self, line: str) -> None:
        if self._file:
            self._file.write(line + "\n")


class BookingLog(_Lines):
    """Every booking answered 201: ``appointment_id``, ``slot_id``, ``patient_id``, as JSON."""

    def record(self, appointment: dict[str, Any]) -> None:
        """Add an appointment as the API answered it."""
        line = {
            "appointment_id": appointment["id"],
            "slot_id": appointment["slot_id"],
            "patient_id": appointment["patient_id"],
        }
        self._write(json.dumps(line))


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        due: when it should have been sent, seconds since 1970.
        seconds: from then until its answer.
        status: of the answer; 0: there was none.
        good: whether it counts as a success.
    """

    due: float
    seconds: float
    status: int
    good: bool
    name: str


class RequestLog(_Lines):
    """Every request, as a line of a CSV file; see :class:`Request`."""

    def record(self, request: Request) -> None:
        """Add a request."""
        self._write(
            f"{request.due:.3f},{request.seconds:.6f},{request.status},{int(request.good)},"
            f"{_quoted(request.name)}"
        )


def _quoted(text: str) -> str:
    """Return a text as a field of a CSV file."""
    return '"{}"'.format(text.replace('"', '""')) if set(text) & set(',"\r\n') else text


def requests(path: Path) -> Iterator[Request]:
    """Read a request log; a line that was cut off is left out. Nothing where there is no file."""
    if not path.exists():
        return
    with path.open(newline="") as lines:
        for row in csv.reader(lines):
            try:
                due, seconds, status, good, name = row
                yield Request(float(due), float(seconds), int(status), good == "1", name)
            except ValueError:
                continue
