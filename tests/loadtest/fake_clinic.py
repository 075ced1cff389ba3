"""A clinic without a database: just enough of the API for the load to run against."""

from __future__ import annotations

import json
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread, Timer
from time import sleep
from typing import Any, Self

DIRECTORY = ("clinicians", "patients")  # what is asked before the traffic begins
LIMIT = 4  # connections of its pool, so to say


class FakeClinic:
    """Answers like the application, after ``delay`` seconds.

    ``busy`` makes the first try of every booking a 503, ``taken`` makes every booking a 409,
    ``failing`` makes everything but the directory a 500, ``empty`` leaves it without data.

    Whoever has changed something is given a cookie; ``known`` counts who came back with it.

    From request number ``freeze_at`` on nobody is answered, for ``freeze_for`` seconds or until
    ``thaw()``; the directory does not count, and is always answered.
    """

    def __init__(
        self,
        *,
        busy: bool = False,
        taken: bool = False,
        failing: bool = False,
        empty: bool = False,
        delay: float = 0.0,
        freeze_at: int = 0,
        freeze_for: float | None = None,
    ) -> None:
        self.busy, self.taken, self.failing, self.delay = busy, taken, failing, delay
        self.freeze_at, self.freeze_for = freeze_at, freeze_for
        self.items = {} if empty else ITEMS
        self.changed: list[str] = []
        self.keys: Counter[str] = Counter()
        self.booked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.known = 0
        self.at_once = self.most_at_once = 0
        self.lock = Lock()
        self._thawed = Event()
        self._thawed.set()
        handler = type("Handler", (_Handler,), {"clinic": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.host = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def freeze(self) -> None:
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    def arrive(self, path: str, *, known: bool) -> None:
        """Note a request, and hold it while everything stands still."""
        with self.lock:
            self.paths.append(path)
            self.known += known
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            if len(self.paths) == self.freeze_at:
                self.freeze()
                if self.freeze_for is not None:
                    Timer(self.freeze_for, self.thaw).start()
        self._thawed.wait()

    def leave(self) -> None:
        with self.lock:
            self.at_once -= 1

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

    def metrics(self) -> str:
        """Who is being answered has a connection, the others wait for one."""
        in_use = min(self.at_once, LIMIT)
        return (
            f"db_client_connection_max {LIMIT}\n"
            f'db_client_connection_count{{db_client_connection_state="used"}} {in_use}\n'
            f'db_client_connection_count{{db_client_connection_state="idle"}} {LIMIT - in_use}\n'
            f"db_client_connection_pending_requests {self.at_once - in_use}\n"
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that ends in the middle of an answer is no fault."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet: the second one of two would wait for 40 ms
    clinic: FakeClinic

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].rsplit("/", 1)[1]
        if name == "metrics":
            self.write(200, "text/plain", self.clinic.metrics())
        elif name in DIRECTORY:
            self.write(200, "application/json", json.dumps(self.items(name)))
        else:
            self.answer(200, self.items(name))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v1/appointments":
            self.answer(*self.clinic.book(self.headers["Idempotency-Key"], body))
        else:
            self.clinic.changed.append(self.path.removeprefix("/api/v1/appointments/"))
            self.answer(200, {})

    def items(self, name: str) -> dict[str, Any]:
        return {"items": self.clinic.items.get(name, []), "next": None}

    def answer(self, status: int, body: dict[str, Any]) -> None:
        self.clinic.arrive(self.path, known="Cookie" in self.headers)
        sleep(self.clinic.delay)
        self.clinic.leave()
        self.write(500 if self.clinic.failing else status, "application/json", json.dumps(body))

    def write(self, status: int, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if status == 503:
            self.send_header("Retry-After", "0")
        if self.command == "POST":
            self.send_header("Set-Cookie", "wrote=1; Max-Age=60")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


ITEMS = {
    "clinicians": [{"id": 71, "name": "Dr. A", "specialty": "Cardiology"}],
    "patients": [{"id": 31, "name": "P"}, {"id": 32, "name": "Q"}],
    "slots": [{"id": 900 + number, "clinician_id": 71} for number in range(20)],
}
