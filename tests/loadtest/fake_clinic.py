"""A clinic without a database: just enough of the API for the load to run against."""

from __future__ import annotations

import json
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from time import sleep
from typing import Any, Self


class FakeClinic:
    """Answers like the application, after ``delay`` seconds.

    ``busy`` makes the first try of every booking a 503, ``taken`` makes every booking a 409,
    ``empty`` leaves it without data.
    """

    def __init__(
        self,
        *,
        busy: bool = False,
        taken: bool = False,
        empty: bool = False,
        delay: float = 0.0,
    ) -> None:
        self.busy, self.taken, self.delay = busy, taken, delay
        self.items = {} if empty else ITEMS
        self.changed: list[str] = []
        self.keys: Counter[str] = Counter()
        self.booked: list[dict[str, Any]] = []
        self.lock = Lock()
        handler = type("Handler", (_Handler,), {"clinic": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.host = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def book(self, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self.lock:
            self.keys[key] += 1
            if self.busy and self.keys[key] == 1:
                return 503, {"title": "busy"}
            if self.taken:
                return 409, {"title": "taken"}
            appointment = {"id": len(self.booked) + 1, **body, "status": "booked"}
            self.booked.append(appointment)
            return 201, appointment


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that ends in the middle of an answer is no fault."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    clinic: FakeClinic

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].rsplit("/", 1)[1]
        self.answer(200, {"items": self.clinic.items.get(name, []), "next": None})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v1/appointments":
            self.answer(*self.clinic.book(self.headers["Idempotency-Key"], body))
        else:
            self.clinic.changed.append(self.path.removeprefix("/api/v1/appointments/"))
            self.answer(200, {})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        sleep(self.clinic.delay)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 503:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


ITEMS = {
    "clinicians": [{"id": 71, "name": "Dr. A", "specialty": "Cardiology"}],
    "patients": [{"id": 31, "name": "P"}, {"id": 32, "name": "Q"}],
    "slots": [{"id": 900 + number, "clinician_id": 71} for number in range(20)],
}
