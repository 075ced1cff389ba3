"""The application under gunicorn, with its log to read, and many requests to it at once."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from loadtest.lab.database import PrivateDatabase
from loadtest.lab.ports import free_port
from loadtest.lab.processes import Service, Workspace

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "gunicorn", "-c", "python:app.server", "app:create_app()"]

Result = TypeVar("Result")


@dataclass
class Answer:
    """What was answered, and after how many seconds."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """A running application; ``log`` is what it wrote to stderr."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("POST", path, body, headers)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            began = time.monotonic()
            sent = None if body is None else json.dumps(body)
            kind = {"Content-Type": "application/json"} if sent else {}
            connection.request(method, path, sent, {**kind, **(headers or {})})
            answer = connection.getresponse()
            seen = dict(answer.getheaders())
            return Answer(answer.status, seen, answer.read(), time.monotonic() - began)
        finally:
            connection.close()


def at_once(work: Iterable[Callable[[], Result]], threads: int = 64) -> list[Result]:
    """The results of all *work*, done by many threads."""
    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(task) for task in work]]


@contextmanager
def serving(database: PrivateDatabase, key: Path, **settings: str) -> Iterator[Served]:
    """The application on *database*: two workers, sixteen threads and a pool of 4+2 each."""
    workspace = Workspace("poolsight-api-")
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CLINIC_")},
        **database.environment("app"),
        "CLINIC_SECRET_KEY_FILE": str(key),
        "CLINIC_BIND": f"127.0.0.1:{port}",
        "CLINIC_METRICS_BIND": f"127.0.0.1:{free_port()}",
        **settings,
    }
    log = workspace.directory / "application.log"
    service = Service(workspace, COMMAND, log=log, env=environment, cwd=ROOT)
    try:
        served = Served(port, log)
        until(lambda: served.get("/readyz").status == 200, within=25)
        yield served
    finally:
        service.stop(grace=5)
        workspace.close()


def until(condition: Callable[[], bool], within: float) -> None:
    """Wait until *condition* is true; not being answered is not yet."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with suppress(OSError, http.client.HTTPException):
            if condition():
                return
        time.sleep(0.05)
    raise AssertionError(f"not within {within} s")
