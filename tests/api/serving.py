"""The application under gunicorn, with its log to read, and many requests to it at once."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

from loadtest.lab.application import Application
from loadtest.lab.database import PrivateDatabase

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

    def __init__(self, application: Application) -> None:
        self.url = application.url
        self.log = application.log

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("POST", path, body, headers)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
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
def serving(database: PrivateDatabase, **settings: str) -> Iterator[Served]:
    """The application on *database*: two workers, sixteen threads and a pool of 4+2 each."""
    with Application.running(database, CLINIC_LOG_LEVEL="INFO", **settings) as application:
        yield Served(application)
