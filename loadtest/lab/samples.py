"""One second of a run: what the application's pool and the load say about themselves."""

import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT = 2.0  # seconds

Buckets = dict[float, float]
"""Cumulative counts of a histogram by upper bound in seconds, as Prometheus has them."""


@dataclass(frozen=True)
class PoolSample:
    """The connection pools of all workers together; ``waits`` and ``timeouts`` only grow."""

    in_use: float
    idle: float
    overflow: float
    waiting: float
    oldest_wait: float
    size: float
    maximum: float
    timeouts: float
    waits: Buckets = field(default_factory=dict)


@dataclass(frozen=True)
class LoadSample:
    """The load; all but ``users`` only grow."""

    users: float
    requests: float
    failures: float
    latencies: Buckets = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """Both at one moment, in seconds since the start; None for what did not answer."""

    at: float
    pool: PoolSample | None
    load: LoadSample | None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Sample":
        """Read what ``dataclasses.asdict`` and JSON made of a sample."""
        pool, load = data["pool"], data["load"]
        return cls(
            data["at"],
            PoolSample(**{**pool, "waits": _from_text(pool["waits"])}) if pool else None,
            LoadSample(**{**load, "latencies": _from_text(load["latencies"])}) if load else None,
        )


def load_start(samples: Sequence[Sample]) -> float:
    """Return when the load began: the time of the last sample before there were users."""
    start = 0.0
    for sample in samples:
        if sample.load and sample.load.users:
            break
        start = sample.at
    return start


class Scrape:
    """A parsed answer of a metrics endpoint; sums run over all label sets, so over workers."""

    def __init__(self, text: str) -> None:
        self._samples = [s for f in text_string_to_metric_families(text) for s in f.samples]

    @classmethod
    def of(cls, url: str) -> "Scrape | None":
        """Read ``url``; return None when it does not answer with metrics."""
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310
                return cls(answer.read().decode())
        except (OSError, ValueError):
            return None

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

    def _values(self, name: str, labels: dict[str, str]) -> list[float]:
        return [
            sample.value
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]


def pool_sample(scrape: Scrape) -> PoolSample:
    """Read the pool's metrics from a scrape of the application."""
    state = "db_client_connection_state"
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
    )


def load_sample(scrape: Scrape) -> LoadSample:
    """Read the load's metrics from a scrape of Locust."""
    return LoadSample(
        users=scrape.sum("locust_users"),
        requests=scrape.sum("locust_requests_total"),
        failures=scrape.sum("locust_failures_total"),
        latencies=scrape.buckets("locust_response_time_seconds"),
    )


def _from_text(buckets: dict[str, float]) -> Buckets:
    return {float(bound): count for bound, count in buckets.items()}
