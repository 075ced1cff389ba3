"""Patients of the rehearsal's own, whose numbers are known at every moment."""

from __future__ import annotations

import http.client
import json
import threading
from itertools import count, cycle
from typing import Any, Self

API = "/api/v1/patients"
EVERY = 0.1  # seconds between two requests
TIMEOUT = 20.0  # seconds
DESK = "ask at the desk"  # no telephone number


class Probe:
    """Writes, reads and registers at ten requests a second, and remembers what was answered.

    Attributes:
        numbers: the number that each patient has, in E.164, or as it is where it is none.
        registered: those who came meanwhile.
        problems: answers that were not as they must be.
        slowest: seconds that the slowest answer took.
    """

    def __init__(self, port: int, patients: range) -> None:
        self.numbers: dict[int, str | None] = {}
        self.registered: list[int] = []
        self.problems: list[str] = []
        self._port = port
        self._patients = cycle(patients)
        self._digits = count(2_000_000)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def write(self, patient: int, number: str, known: str | None) -> None:
        """Give *patient* a number that is *known* in E.164."""
        answer = self._ask("PATCH", f"{API}/{patient}", {"phone": number})
        if answer is not None:
            self.numbers[patient] = known

    def _run(self) -> None:
        for turn in count():
            if self._stop.wait(EVERY):
                return
            digits = next(self._digits)
            if turn % 10 == 0:
                self._register(digits)
            elif turn % 3:
                patient = next(self._patients)
                self.write(patient, f"030 {digits}", f"+4930{digits}")
                self._read(patient)

    def _register(self, digits: int) -> None:
        body = {"name": "Probe", "email": f"probe{digits}@example.org", "born": "1990-01-01"}
        answer = self._ask("POST", API, {**body, "phone": f"030 {digits}"})
        if answer:
            self.registered.append(answer["id"])
            self.numbers[answer["id"]] = f"+4930{digits}"

    def _read(self, patient: int) -> None:
        answer = self._ask("GET", f"{API}/{patient}")
        if answer and standard(answer["phone"]) != self.numbers.get(patient):
            self.problems.append(
                f"patient {patient} reads {answer['phone']}, not {self.numbers.get(patient)}"
            )

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except OSError as error:
            self.problems.append(f"{method} {path}: {error!r}")
            return None
        finally:
            connection.close()
        if answer.status not in (200, 201):
            self.problems.append(f"{method} {path}: {answer.status} {text[:200]}")
            return None
        return json.loads(text)


def standard(number: str | None) -> str | None:
    """A number as the probe writes it, or as it was stored, in E.164."""
    if number and number.startswith("030 "):
        return "+4930" + number.removeprefix("030 ")
    return number
