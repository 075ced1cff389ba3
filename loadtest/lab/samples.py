"""One moment of a run: what the application's pool, the load and the server say of themselves."""

import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT = 2.0  # seconds

Buckets = dict[float, float]
"""Cumulative counts of a histogram by upper bound in seconds, as Prometheus has them."""


Parts = dict[str, dict[str, float]]
"""By URL rule: the seconds that requests spent in each part, and ``requests``, their number."""


@dataclass(frozen=True)
class PoolSample:
    """The connection pools of all workers together.

    From ``timeouts`` on, all but the gauges ``used_peak`` to ``oldest_lease`` only grow.
    """

    in_use: float
    idle: float
    overflow: float
    waiting: float
    oldest_wait: float
    size: float
    maximum: float
    timeouts: float
    waits: Buckets = field(default_factory=dict)
    used_peak: float = 0.0
    pending_peak: float = 0.0
    wait_peak: float = 0.0
    leaks_suspected: float = 0.0
    oldest_lease: float = 0.0
    connects: float = 0.0
    connect_failures: float = 0.0
    closes: float = 0.0
    recycled: float = 0.0
    failed_pings: float = 0.0
    uses: float = 0.0
    use_seconds: float = 0.0
    queue_seconds: float = 0.0
    ping_seconds: float = 0.0
    use_times: Buckets = field(default_factory=dict)
    parts: Parts = field(default_factory=dict)


@dataclass(frozen=True)
class LoadSample:
    """The load; all but ``users`` and ``in_flight`` only grow."""

    users: float
    requests: float
    failures: float
    latencies: Buckets = field(default_factory=dict)
    in_flight: float = 0.0
    arrivals: float = 0.0
    dropped: float = 0.0
    lags: Buckets = field(default_factory=dict)
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class ServerSample:
    """The database server; ``row_lock_waits`` only grows."""

    connections: float
    running: float
    row_lock_waits: float


@dataclass(frozen=True)
class Sample:
    """All at one moment, in seconds since the start; None for what did not answer."""

    at: float
    pool: PoolSample | None
    load: LoadSample | None
    server: ServerSample | None = None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Sample":
        """Read what ``dataclasses.asdict`` and JSON made of a sample."""
        pool, load, server = data["pool"], data["load"], data["server"]
        return cls(
            data["at"],
            PoolSample(
                **{
                    **pool,
                    "waits": _from_text(pool["waits"]),
                    "use_times": _from_text(pool["use_times"]),
                }
            )
            if pool
            else None,
            LoadSample(
                **{
                    **load,
                    "latencies": _from_text(load["latencies"]),
                    "lags": _from_text(load["lags"]),
                }
            )
            if load
            else None,
            ServerSample(**server) if server else None,
        )


class Scrape:
    """A parsed answer of a metrics endpoint; sums run over all label sets, so over workers."""

    def __init__(self, text: str) -> None:
        self._samples = [s for f in text_string_to_metric_families(text) for s in f.samples]

    @classmethod
    def of(cls, *urls: str) -> "Scrape | None":
        """Read ``urls``; return None when one does not answer with metrics."""
        try:
            return cls("".join(_read(url) for url in urls))
        except (OSError, ValueError, HTTPException):
            return None

    def has(self, name: str) -> bool:
        """Tell whether there is a series ``name``."""
        return any(sample.name == name for sample in self._samples)

    def time_of(self, name: str) -> float | None:
        """Return when ``name`` was scraped, seconds since 1970, where that is told."""
        times = [float(s.timestamp) for s in self._samples if s.name == name and s.timestamp]
        return max(times, default=None)

    def sum(self, name: str, /, **labels: str) -> float:
        """Return the sum over the series ``name`` with these labels."""
        return sum(self._values(name, labels))

    def max(self, name: str) -> float:
        """Return the largest value of the series ``name``, or 0."""
        return max(self._values(name, {}), default=0.0)

    def buckets(self, name: str) -> Buckets:
        """Return the cumulative buckets of the histogram ``name``."""
        buckets: Buckets = {}
        for sample in self._samples:
            if sample.name == f"{name}_bucket":
                bound = float(sample.labels["le"])
                buckets[bound] = buckets.get(bound, 0.0) + sample.value
        return buckets

    def by_labels(self, name: str, *labels: str) -> Iterable[tuple[tuple[str, ...], float]]:
        """Yield the values of these labels, and the value, of each series ``name``."""
        for sample in self._samples:
            if sample.name == name:
                yield tuple(sample.labels.get(label, "") for label in labels), sample.value

    def _values(self, name: str, labels: dict[str, str]) -> list[float]:
        return [
            sample.value
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]


def pool_sample(scrape: Scrape) -> PoolSample:
    """Read the pool's metrics from a scrape of the application."""
    state = "db_client_connection_state"
    connects = "sqlalchemy_pool_connects_total"
    return PoolSample(
        in_use=scrape.sum("db_client_connection_count", **{state: "used"}),
        idle=scrape.sum("db_client_connection_count", **{state: "idle"}),
        overflow=scrape.sum("sqlalchemy_pool_overflow"),
        waiting=scrape.sum("db_client_connection_pending_requests"),
        oldest_wait=scrape.max("sqlalchemy_pool_oldest_wait_seconds"),
        size=scrape.sum("sqlalchemy_pool_size"),
        maximum=scrape.sum("db_client_connection_max"),
        timeouts=scrape.sum("db_client_connection_timeouts_total"),
        waits=scrape.buckets("db_client_connection_wait_time_seconds"),
        used_peak=scrape.sum("sqlalchemy_pool_used_peak"),
        pending_peak=scrape.sum("sqlalchemy_pool_pending_peak"),
        wait_peak=scrape.max("sqlalchemy_pool_wait_peak_seconds"),
        leaks_suspected=scrape.sum("sqlalchemy_pool_leaks_suspected"),
        oldest_lease=scrape.max("sqlalchemy_pool_oldest_lease_seconds"),
        connects=scrape.sum(connects, outcome="ok"),
        connect_failures=scrape.sum(connects, outcome="error"),
        closes=scrape.sum("sqlalchemy_pool_closes_total"),
        recycled=scrape.sum("sqlalchemy_pool_closes_total", reason="recycle"),
        failed_pings=scrape.sum("sqlalchemy_pool_ping_seconds_count", outcome="error"),
        uses=scrape.sum("db_client_connection_use_time_seconds_count"),
        use_seconds=scrape.sum("db_client_connection_use_time_seconds_sum"),
        queue_seconds=scrape.sum("sqlalchemy_pool_queue_wait_seconds_sum"),
        ping_seconds=scrape.sum("sqlalchemy_pool_ping_seconds_sum"),
        use_times=scrape.buckets("db_client_connection_use_time_seconds"),
        parts=_parts(scrape),
    )


def load_sample(scrape: Scrape) -> LoadSample:
    """Read the load's metrics from a scrape of Locust."""
    return LoadSample(
        users=scrape.sum("locust_users"),
        requests=scrape.sum("locust_requests_total"),
        failures=scrape.sum("locust_failures_total"),
        latencies=scrape.buckets("locust_response_time_seconds"),
        in_flight=scrape.sum("locust_in_flight"),
        arrivals=scrape.sum("locust_arrivals_total"),
        dropped=scrape.sum("locust_dropped_arrivals_total"),
        lags=scrape.buckets("locust_generator_lag_seconds"),
        cpu_seconds=scrape.max("locust_process_cpu_seconds_total"),
    )


def server_sample(scrape: Scrape) -> ServerSample:
    """Read the server's metrics from a scrape of mysqld_exporter."""
    return ServerSample(
        connections=scrape.sum("mysql_global_status_threads_connected"),
        running=scrape.sum("mysql_global_status_threads_running"),
        row_lock_waits=scrape.sum("mysql_global_status_innodb_row_lock_waits"),
    )


def _parts(scrape: Scrape) -> Parts:
    found: Parts = {}
    series = scrape.by_labels("clinic_request_part_seconds_total", "url_rule", "part")
    for (rule, part), seconds in series:
        of_rule = found.setdefault(rule, {})
        of_rule[part] = of_rule.get(part, 0.0) + seconds
    for (rule,), number in scrape.by_labels("clinic_request_parts_count_total", "url_rule"):
        of_rule = found.setdefault(rule, {})
        of_rule["requests"] = of_rule.get("requests", 0.0) + number
    return found


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310
        text: str = answer.read().decode()
        return text if text.endswith("\n") else f"{text}\n"


def _from_text(buckets: dict[str, float]) -> Buckets:
    return {float(bound): count for bound, count in buckets.items()}
