"""How fast metrics are answered while no thread of the application is free."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from time import monotonic, sleep
from urllib.parse import urlsplit

from benchmarks.scrape import scrape, total
from benchmarks.served import THREADS, WORKERS
from benchmarks.spread import percentile
from loadtest.lab.application import Application
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.errors import LabError
from loadtest.lab.processes import Workspace

SCRAPES = 500
LIMIT = 50.0  # milliseconds, for 99 of 100
HOLD = 30  # seconds: longer than all scrapes together
PATIENCE = 20.0  # seconds until every thread is busy
SETTINGS = {
    "CLINIC_LAB_ENABLED": "true",
    "CLINIC_WORKERS": str(WORKERS),
    "CLINIC_THREADS": str(THREADS),
    "CLINIC_POOL_SIZE": "2",
    "CLINIC_POOL_MAX_OVERFLOW": "1",
    "CLINIC_POOL_TIMEOUT": "120",
}


@dataclass(frozen=True)
class Busy:
    """Threads that hold a connection, and that wait for one, in all workers together."""

    holding: int
    waiting: int

    @property
    def every_thread(self) -> bool:
        """Whether no thread is left."""
        return self.holding + self.waiting == WORKERS * THREADS


@dataclass(frozen=True)
class Scrapes:
    """What the metrics port did.

    Attributes:
        p50, p99, longest: milliseconds until an answer was complete.
        busy: what the last answer said.
        always_busy: whether every answer said that every thread was busy.
    """

    count: int
    p50: float
    p99: float
    longest: float
    busy: Busy
    always_busy: bool

    @property
    def passed(self) -> bool:
        """Whether the answers were fast while no thread was free."""
        return self.always_busy and self.p99 <= LIMIT

    def __str__(self) -> str:
        return (
            f"{self.count} scrapes while {self.busy.holding} threads held a connection and "
            f"{self.busy.waiting} waited for one: median {self.p50:.1f} ms, "
            f"99 % within {self.p99:.1f} ms, all within {self.longest:.1f} ms."
        )


def measure(database: PrivateDatabase) -> Scrapes:
    """Have every thread of the clinic hold a connection or wait for one, and scrape it."""
    with _clinic(database) as clinic, _every_thread_busy(clinic):
        scrapes = [_timed(clinic) for _ in range(SCRAPES)]
    times = [milliseconds for milliseconds, _ in scrapes]
    said = [_busy(text) for _, text in scrapes]
    return Scrapes(
        count=len(scrapes),
        p50=median(times),
        p99=percentile(times, 0.99),
        longest=max(times),
        busy=said[-1],
        always_busy=all(busy.every_thread for busy in said),
    )


@contextmanager
def _clinic(database: PrivateDatabase) -> Iterator[Application]:
    workspace = Workspace("poolsight-scrapes-")
    clinic = Application(workspace, database, **SETTINGS)
    try:
        clinic.prepare(patients=20)
        clinic.start()
        yield clinic
    finally:
        clinic.stop()
        workspace.close()


@contextmanager
def _every_thread_busy(clinic: Application) -> Iterator[None]:
    # More requests than threads: a worker takes them, too, when none of its threads is free.
    deadline = monotonic() + PATIENCE
    with ExitStack() as stack:
        while not _busy(scrape(clinic.metrics_url)).every_thread:
            if monotonic() > deadline:
                raise LabError(f"After {PATIENCE:g} s, threads are still free.")
            for _ in range(WORKERS * THREADS):
                stack.enter_context(_hold(clinic))
            sleep(0.2)
        yield


def _hold(clinic: Application) -> socket.socket:
    """Ask for a connection to be held, and read no answer."""
    parts = urlsplit(clinic.url)
    asking = socket.create_connection((str(parts.hostname), int(parts.port or 0)))
    asking.sendall(f"GET /lab/hold?seconds={HOLD} HTTP/1.1\r\nHost: clinic\r\n\r\n".encode())
    return asking


def _timed(clinic: Application) -> tuple[float, str]:
    """Milliseconds until the answer was complete, and the answer."""
    began = monotonic()
    text = scrape(clinic.metrics_url)
    return (monotonic() - began) * 1000, text


def _busy(text: str) -> Busy:
    used = total(text, "db_client_connection_count", db_client_connection_state="used")
    return Busy(int(used), int(total(text, "db_client_connection_pending_requests")))
