"""The clinic's API as a Locust user sees it: one method each endpoint, named by its URL rule."""

# mypy: allow-untyped-calls

import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import gevent
from locust.contrib.fasthttp import FastHttpSession, ResponseContextManager

from loadtest.hooks import Run

API = "/api/v1"
LONGEST_RETRY_AFTER = 5.0  # seconds that a person would wait before trying again


class Clinic:
    """Calls the API through ``client``; a failed request is counted by Locust, never raised.

    Args:
        due: when its first request should have been sent (``time.time()``): what it was late
            counts as response time, because whoever asks has waited. None: when it is sent.
        retries: how often :meth:`ask` repeats a failed request, at once.
    """

    def __init__(self, client: FastHttpSession, due: float | None = None, retries: int = 0) -> None:
        self._client = client
        self._due = due
        self._retries = retries

    def ask(self, method: str, path: str) -> None:
        """Send any request, named by its path without the query."""
        for _ in range(1 + self._retries):
            with self._send(method, path, path.partition("?")[0]) as answer:
                good = bool(answer.status_code) and answer.status_code < 400
            if good:
                return

    def free_slots(self, **query: Any) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of free slots and the cursor of the next one."""
        body = self._get("/slots", "/slots", query)
        return body.get("items", []), body.get("next")

    def appointments_of(self, patient_id: int) -> list[dict[str, Any]]:
        """Return the first page of a patient's appointments."""
        path = f"/patients/{patient_id}/appointments"
        items: list[dict[str, Any]] = self._get(
            path, "/patients/<int:patient_id>/appointments", {}
        ).get("items", [])
        return items

    def contact_of(self, patient_id: int) -> None:
        """Read a patient's details."""
        self._get(f"/patients/{patient_id}", "/patients/<int:patient_id>", {})

    def change_phone(self, patient_id: int, number: str) -> None:
        """Change a patient's telephone number."""
        path, rule = f"/patients/{patient_id}", "/patients/<int:patient_id>"
        with self._send("PATCH", API + path, API + rule, json={"phone": number}):
            pass

    def register(self, name: str) -> None:
        """Register a patient with an e-mail address that nobody has."""
        email = f"{uuid.uuid4()}@example.org"
        body = {"name": name, "email": email, "born": "1990-01-01", "phone": "030 1234567"}
        with self._post("/patients", "/patients", body):
            pass

    def utilisation(self, start: str, end: str) -> None:
        """Ask for the heavy report on the days from ``start`` to ``end`` (RFC 3339)."""
        self._get("/reports/utilisation", "/reports/utilisation", {"from": start, "to": end})

    def book(self, slot_id: int, patient_id: int) -> dict[str, Any] | None:
        """Book a slot; after a 503 try once more with the same key, as a careful client does."""
        key = str(uuid.uuid4())
        appointment, retry_after = self._try_to_book(slot_id, patient_id, key)
        if retry_after is not None:
            gevent.sleep(min(retry_after, LONGEST_RETRY_AFTER))
            appointment, _ = self._try_to_book(slot_id, patient_id, key)
        if appointment:
            Run.bookings.record(appointment)
        return appointment

    def reschedule(self, appointment_id: int, slot_id: int) -> bool:
        """Move an appointment to another slot; false when that is taken, or it has begun."""
        rule = "/appointments/<int:appointment_id>/reschedule"
        with self._post(
            f"/appointments/{appointment_id}/reschedule", rule, {"slot_id": slot_id}
        ) as answer:
            _accept_conflict(answer)
            return bool(answer.status_code == 200)

    def cancel(self, appointment_id: int) -> bool:
        """Cancel an appointment that has not begun; false when the request failed."""
        rule = "/appointments/<int:appointment_id>/cancel"
        with self._post(f"/appointments/{appointment_id}/cancel", rule, {}) as answer:
            _accept_conflict(answer)
            return answer.status_code in (200, 409)

    def _try_to_book(
        self, slot_id: int, patient_id: int, key: str
    ) -> tuple[dict[str, Any] | None, float | None]:
        """Return the appointment, if any, and the seconds to wait before a retry, if asked."""
        body = {"slot_id": slot_id, "patient_id": patient_id}
        headers = {"Idempotency-Key": key}
        with self._post("/appointments", "/appointments", body, headers) as answer:
            _accept_conflict(answer)
            if answer.status_code == 201:
                return answer.json(), None
            if answer.status_code == 503:
                return None, _retry_after(answer)
            return None, None

    def _get(self, path: str, rule: str, query: dict[str, Any]) -> dict[str, Any]:
        with self._send("GET", API + path, API + rule, params=query) as answer:
            if answer.status_code != 200:
                return {}
            body: dict[str, Any] = answer.json()
            return body

    def _post(
        self, path: str, rule: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> AbstractContextManager[ResponseContextManager]:
        return self._send("POST", API + path, API + rule, json=body, headers=headers or {})

    @contextmanager
    def _send(
        self, method: str, path: str, name: str, headers: dict[str, str] | None = None, **more: Any
    ) -> Iterator[ResponseContextManager]:
        now = time.time()
        due, self._due = self._due or now, None
        # What nginx tells the application where there is one: it cannot see the queue before it.
        headers = {**(headers or {}), "X-Request-Start": f"t={now:.3f}"}
        with self._client.request(
            method, path, name=name, headers=headers, catch_response=True, **more
        ) as answer:
            answer.request_meta["start_time"] = due
            answer.request_meta["response_time"] += (now - due) * 1000
            yield answer


def _accept_conflict(answer: ResponseContextManager) -> None:
    """Count 409 as a success of its own name: somebody or the time was faster: business."""
    if answer.status_code == 409:
        answer.request_meta["name"] += " [too late]"
        answer.success()


def _retry_after(answer: ResponseContextManager) -> float:
    """Return the seconds that a 503 asks to wait."""
    header = answer.headers.get("Retry-After") if answer.headers else None
    return float(header) if isinstance(header, str) and header.isdigit() else 1.0
