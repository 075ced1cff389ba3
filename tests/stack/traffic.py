"""Traffic whose every answer is remembered: bookings and searches, through nginx."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any

from tests.stack.stack import Stack

CLIENTS = 8
GIVE_UP = 30.0  # seconds; far beyond every timeout of the stack, so that a hang is seen as one


@dataclass(frozen=True)
class Answer:
    """One answer: when it came, what it was, and how long it took (seconds)."""

    at: float
    status: int | str
    seconds: float
    body: Any


@dataclass
class Traffic:
    """Threads, one for each of `clients`, that search and book while the `with` block runs."""

    stack: Stack
    clients: int = CLIENTS
    answers: list[Answer] = field(default_factory=list)

    def __enter__(self) -> Traffic:
        self._slots = iter(free_slots(self.stack, 3000))
        self._patient = self.stack.items("/patients?limit=1")[0]["id"]
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.more(self.clients)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def more(self, clients: int) -> None:
        """Let so many further clients come."""
        for _ in range(clients):
            self._threads.append(threading.Thread(target=self._client))
            self._threads[-1].start()

    @property
    def statuses(self) -> Counter[int | str]:
        """How often each status was answered; an exception's name where there was none."""
        return Counter(answer.status for answer in list(self.answers))

    @property
    def booked(self) -> list[int]:
        """The appointments that were acknowledged with 201."""
        return [answer.body["id"] for answer in list(self.answers) if answer.status == 201]

    @property
    def slowest(self) -> float:
        """The longest that a client waited for an answer, in seconds."""
        return max(answer.seconds for answer in list(self.answers))

    def booked_since(self, moment: float) -> bool:
        """Say whether a booking succeeded after `moment` (time.monotonic)."""
        return any(a.status == 201 and a.at > moment for a in list(self.answers))

    def _client(self) -> None:
        for turn in count():
            if self._over.is_set():
                return
            self._search() if turn % 2 else self._book()
            self._over.wait(0.1)

    def _search(self) -> None:
        self._ask("GET", "/api/v1/slots?limit=5")

    def _book(self) -> None:
        with self._lock:
            slot = next(self._slots, None)
        if slot is None:
            return  # the sample data is used up; searching goes on
        self._ask("POST", "/api/v1/appointments", {"slot_id": slot, "patient_id": self._patient})

    def _ask(self, method: str, path: str, body: dict[str, int] | None = None) -> None:
        started = time.monotonic()
        try:
            status, found = ask(self.stack, method, path, body)
        except (OSError, http.client.HTTPException) as error:
            status, found = type(error).__name__, str(error)
        now = time.monotonic()
        self.answers.append(Answer(now, status, now - started, found))


def ask(
    stack: Stack, method: str, path: str, body: dict[str, int] | None = None
) -> tuple[int | str, Any]:
    """Send one request through nginx; return the status and the JSON answered."""
    port = stack.ports["HTTP_PORT"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GIVE_UP)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def free_slots(stack: Stack, number: int) -> list[int]:
    """Return the ids of `number` free slots, far enough ahead to be nobody else's choice."""
    rows = stack.sql(
        "SELECT id FROM slot WHERE is_free AND starts_at > utc_timestamp() "
        f"ORDER BY starts_at DESC, id LIMIT {number}"
    )
    return [int(row[0]) for row in rows]
