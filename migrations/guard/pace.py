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

WAITS = "db_client_connection_wait_time_seconds"
REQUESTS = "flask_http_request_duration_seconds"
FACTOR = 4.0  # of the pauses, while nobody suffers: make drill-backfill shows what that costs them
LONGEST_PAUSE = 10.0  # seconds; somebody may look
EVERY = 1.0  # seconds between two looks at server and application
PATIENCE = 5.0  # seconds for their answer
FEWEST, MOST = 50, 5000  # rows of a batch

Counted = dict[float, float]  # so many took at most so many seconds


@dataclass(frozen=True)
class Limits:
    """What must not be exceeded while a backfill runs.

    Attributes:
        threads_running: of the server, this session among them.
        wait: for a connection of the pool, of the slowest 5 of 100 checkouts since the last look,
            seconds. A busy pool always has somebody who waits for a moment.
        p99: of the requests since the last look, seconds.
        batch: seconds for which the database should work for one.
    """

    threads_running: int = 8
    wait: float = 0.1
    p99: float = 0.25
    batch: float = 0.05


class Pace:
    """Decides on the size of batches and the pauses between them.

    A pause is a multiple of the time that the database worked for a batch: four times at first, and
    twice as long as the last one for as long as a limit is exceeded. No replica is asked, as there
    may be none.
    """

    def __init__(self, connection: Connection, limits: Limits, urls: Sequence[str]) -> None:
        self.size = FEWEST
        self.exceeded = ""
        self._connection = connection
        self._limits = limits
        self._urls = urls
        self._factor = FACTOR
        self._looked = float("-inf")
        self._counted: dict[str, Counted] = {}
        self._seen = ""

    def after(self, seconds: float, sleep: Callable[[float], None]) -> None:
        """Pause after a batch for which the database worked *seconds*; choose the next one's size.

        Raises:
            GuardError: the application's metrics cannot be read.
        """
        self.exceeded = self._problem()
        self._factor = min(self._factor * 2, 256 * FACTOR) if self.exceeded else FACTOR
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
        before, self._counted = self._counted, _read(self._urls)
        wait = _quantile(0.95, before.get(WAITS, {}), self._counted[WAITS])
        if wait > self._limits.wait:
            return f"5 of 100 checkouts wait up to {wait:g} s for a connection"
        p99 = _quantile(0.99, before.get(REQUESTS, {}), self._counted[REQUESTS])
        if p99 > self._limits.p99:
            return f"the p99 of requests is {p99:g} s"
        return ""


def _quantile(share: float, before: Counted, now: Counted) -> float:
    """An upper bound of the *share* quantile of what was counted after *before*; 0 without any."""
    every = float("inf")
    new = now.get(every, 0.0) - before.get(every, 0.0)
    if not before or new <= 0:
        return 0.0
    bounds = sorted(now)
    return next(b for b in bounds if now[b] - before.get(b, 0.0) >= share * new)


def _read(urls: Iterable[str]) -> dict[str, Counted]:
    found: dict[str, Counted] = {WAITS: {}, REQUESTS: {}}
    for url in urls:
        for family in text_string_to_metric_families(_get(url)):
            if family.name in found:
                for sample in family.samples:
                    if sample.name.endswith("_bucket"):
                        buckets, bound = found[family.name], float(sample.labels["le"])
                        buckets[bound] = buckets.get(bound, 0.0) + sample.value
    return found


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
