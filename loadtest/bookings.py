"""A record of every booking that was acknowledged with 201."""

import json
from pathlib import Path
from typing import Any


class BookingLog:
    """Appends one JSON line a booking: ``appointment_id``, ``slot_id``, ``patient_id``.

    Each line is written at once, so that the file is complete however the run ends. Without a
    path nothing is recorded. Raises OSError when the file cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("a", buffering=1) if path else None

    def record(self, appointment: dict[str, Any]) -> None:
        """Add an appointment as the API answered it."""
        if self._file:
            line = {
                "appointment_id": appointment["id"],
                "slot_id": appointment["slot_id"],
                "patient_id": appointment["patient_id"],
            }
            self._file.write(json.dumps(line) + "\n")
