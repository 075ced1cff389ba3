"""Where samples come from: the metrics endpoints themselves, or a Prometheus that scrapes them."""

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from loadtest.lab.samples import (
    TIMEOUT,
    Sample,
    Scrape,
    ServerSample,
    load_sample,
    pool_sample,
    server_sample,
)

POOL = "db_client_connection_max"
LOAD = "locust_users"
SERVER = "mysql_global_status_threads_running"
WANTED = (
    "db_client_.*|sqlalchemy_pool_.*|clinic_request_.*|locust_.*"
    "|mysql_global_status_(threads_connected|threads_running|innodb_row_lock_waits)"
)


@dataclass(frozen=True)
class Alert:
    """An alert that fired: seconds from the traffic's begin until it did first."""

    name: str
    after: float


class Source(Protocol):
    """Gives a sample; ``at`` is in seconds since 1970."""

    def sample(self) -> Sample | None:
        """Return what is true now; None where nothing is new."""

    def problem(self) -> str | None:
        """Return why there will be no samples of the pool, or None."""


class Endpoints:
    """The application's metrics endpoint, and that of each process that sends the load.

    ``server`` asks the database server itself, where that is possible.
    """

    def __init__(
        self,
        pool_url: str,
        load_urls: Sequence[str],
        server: Callable[[], ServerSample | None] = lambda: None,
    ) -> None:
        self._pool_url, self._load_urls, self._server = pool_url, load_urls, server

    def sample(self) -> Sample | None:
        """Ask now; last the application, whose answer may take long."""
        at = time.time()
        load, server = Scrape.of(*self._load_urls), self._server()
        pool = Scrape.of(self._pool_url)
        return Sample(
            at,
            pool_sample(pool) if pool and pool.has(POOL) else None,
            load_sample(load) if load else None,
            server,
        )

    def problem(self) -> str | None:
        """Say whether the application publishes its pool there."""
        return _problem(self._pool_url, Scrape.of(self._pool_url))


class Prometheus:
    """A Prometheus server that scrapes the application, the load and mysqld_exporter.

    A sample is as old as the last scrape of the application, and has its time. What the load says
    of itself is asked at ``load_urls`` where it runs here, since Prometheus may not reach it.
    """

    def __init__(self, url: str, load_urls: Sequence[str] = ()) -> None:
        self.url = url.rstrip("/")
        self._load_urls = load_urls
        query = urllib.parse.urlencode({"match[]": f'{{__name__=~"{WANTED}"}}'})
        self._federate = f"{self.url}/federate?{query}"
        self._last: float | None = None

    def sample(self) -> Sample | None:
        """Return the last scrape of each job; None where the application's is not new."""
        found = Scrape.of(self._federate)
        at = found.time_of(POOL) if found else None
        if found is None or at is None:
            return Sample(time.time(), None, None)
        if at == self._last:
            return None
        self._last = at
        load = Scrape.of(*self._load_urls) if self._load_urls else found
        return Sample(
            at,
            pool_sample(found),
            load_sample(load) if load and load.has(LOAD) else None,
            server_sample(found) if found.has(SERVER) else None,
        )

    def problem(self) -> str | None:
        """Say whether Prometheus has the application's pool."""
        return _problem(self.url, Scrape.of(self._federate))

    def alerts(self, began: float) -> list[Alert]:
        """Return what began to fire after *began* (seconds since 1970), sorted by when it did.

        Raises OSError or ValueError when Prometheus does not answer.
        """
        before = {one["metric"]["alertname"] for one in self._firing(began)}
        seconds = max(1, round(time.time() - began))
        first: dict[str, float] = {}
        for one in self._firing(time.time(), f"[{seconds}s]"):
            name, at = one["metric"]["alertname"], float(one["values"][0][0]) - began
            if name not in before:
                first[name] = min(at, first.get(name, at))
        return sorted((Alert(*item) for item in first.items()), key=lambda alert: alert.after)

    def _firing(self, at: float, window: str = "") -> list[dict[str, Any]]:
        query = {"query": f'ALERTS{{alertstate="firing"}}{window}', "time": f"{at:.3f}"}
        url = f"{self.url}/api/v1/query?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found


def _problem(url: str, found: Scrape | None) -> str | None:
    if found is None:
        return f"{url} does not answer with metrics. Is the application running?"
    if not found.has(POOL):
        return (
            f"{url} has no {POOL}: it does not publish a connection pool. Name the application's "
            "metrics with --metrics, or a Prometheus that has them with --prometheus."
        )
    return None
