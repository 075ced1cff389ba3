"""How fast a backfill may go: as fast as nobody notices."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, text

from migrations.guard.errors import GuardError

WAITING = "db_client_connection_pending_requests"
REQUESTS = "flask_http_request_duration_seconds"
LONGEST_PAUSE = 30.0  # seconds; somebody may look
EVERY = 1.0  # seconds between two looks at server and application
PATIENCE = 5.0  # seconds for their answer
FEWEST, MOST = 50, 5000  # rows of a batch


@dataclass(frozen=True)
class Limits:
    """What must not be exceeded while a backfill runs.

    Attributes:
        threads_running: of the server, this session among them.
        waiting: threads that wait for a connection of the pool.
        p99: of the requests since the last look, seconds.
        batch: seconds for which the database should work for one.
    """

    threads_running: int = 8
    waiting: int = 0
    p99: float = 0.25
    batch: float = 0.1


class Pace:
    """Decides on the size of batches and the pauses between them.

    A pause is a multiple of the time that the database worked for a batch: twice at first, and
    twice as long as the last one for as long as a limit is exceeded. No replica is asked, as there
    may be none.
    """

    def __init__(self, connection: Connection, limits: Limits, urls: Sequence[str]) -> None:
        self.size = FEWEST
        self.exceeded = ""
        self._connection = connection
        self._limits = limits
        self._urls = urls
        self._factor = 2.0
        self._looked = float("-inf")
        self._served = _Served({}, 0.0)
        self._seen = ""

    def after(self, seconds: float, sleep: Callable[[float], None]) -> None:
        """Pause after a batch for which the database worked *seconds*; choose the next one's size.

        Raises:
            GuardError: the application's metrics cannot be read.
        """
        self.exceeded = self._problem()
        self._factor = min(self._factor * 2, 1024) if self.exceeded else 2.0
        sleep(min(seconds * self._factor, LONGEST_PAUSE))
        aim = self._limits.batch / max(seconds, 1e-4)
        self.size = round(min(max(self.size * min(max(aim, 0.5), 1.5), FEWEST), MOST))

    def _problem(self) -> str:
        if time.monotonic() - self._looked >= EVERY:
            self._looked = time.monotonic()
            self._seen = self._server() or (self._application() if self._urls else "")
        return self._seen

    def _server(self) -> str:
        running = self._connection.execute(text("SHOW GLOBAL STATUS LIKE 'Threads_running'"))
        threads = int(running.one()[1])
        self._connection.rollback()
        if threads > self._limits.threads_running:
            return f"{threads} threads run on the server"
        return ""

    def _application(self) -> str:
        waiting, served = _read(self._urls)
        p99 = served.since(self._served)
        self._served = served
        if waiting > self._limits.waiting:
            return f"{waiting:g} threads wait for a connection"
        if p99 is not None and p99 > self._limits.p99:
            return f"the p99 of requests is {p99:g} s"
        return ""


@dataclass(frozen=True)
class _Served:
    """Requests so far by upper bound of their seconds, cumulative; and all of them."""

    buckets: dict[float, float]
    total: float

    def since(self, before: _Served) -> float | None:
        """An upper bound of the p99 of the requests after *before*; None where there were none."""
        new = self.total - before.total
        if not before.total or new <= 0:
            return None
        bounds = sorted(self.buckets)
        within = (self.buckets[bound] - before.buckets.get(bound, 0.0) for bound in bounds)
        return next((b for b, count in zip(bounds, within, strict=True) if count >= 0.99 * new))


def _read(urls: Iterable[str]) -> tuple[float, _Served]:
    waiting, buckets = 0.0, dict[float, float]()
    for url in urls:
        for family in text_string_to_metric_families(_get(url)):
            for sample in family.samples:
                if sample.name == WAITING:
                    waiting += sample.value
                elif sample.name == f"{REQUESTS}_bucket":
                    bound = float(sample.labels["le"])
                    buckets[bound] = buckets.get(bound, 0.0) + sample.value
    return waiting, _Served(buckets, buckets.get(float("inf"), 0.0))


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310
            found: str = answer.read().decode()
            return found
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise GuardError(
            f"{url}: {error}. Without its metrics nobody knows whether the application suffers. "
            "The backfill has stopped; the same command goes on where it was."
        ) from None
