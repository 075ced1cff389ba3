"""What is exported: the cells of all workers as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from time import monotonic

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from app.pool import cells
from app.pool.slots import metrics_directory, tenure

POOL = "db_client_connection_pool_name"
STATE = "db_client_connection_state"

HISTOGRAMS = (
    ("db_client_connection_wait_time_seconds", cells.WAIT,
     "Time to obtain a connection from the pool: queueing, ping, connecting; successful or not."),
    ("sqlalchemy_pool_queue_wait_seconds", cells.QUEUE_WAIT,
     "Time a thread was blocked until another returned a connection; only those that had to wait."),
    ("db_client_connection_use_time_seconds", cells.USE,
     "Time between borrowing a connection and returning it."),
    ("db_client_connection_create_time_seconds", cells.CREATE,
     "Time to create a connection, successful or not."),
)  # fmt: skip
COUNTERS = (
    ("db_client_connection_timeouts", cells.TIMEOUTS,
     "Waits for a connection that ended in an error after pool_timeout."),
    ("sqlalchemy_pool_overflows", cells.OVERFLOWS,
     "Connections opened beyond pool_size."),
    ("sqlalchemy_pool_closes", cells.CLOSES,
     "Connections that left the pool: closed, invalidated or detached."),
)  # fmt: skip


@dataclass
class _Worker:
    """What one worker's threads have counted together, and its limits."""

    pool: str
    slot: int
    alive: bool
    size: float
    max_overflow: float
    total: list[float]
    waiting_since: list[float]

    @property
    def labels(self) -> list[str]:
        return [self.pool, str(self.slot)]

    def histogram(self, first: int) -> tuple[list[tuple[str, float]], float]:
        """Cumulative buckets and sum of the histogram whose first cell is *first*."""
        counts = self.total[first : first + cells.HISTOGRAM_CELLS - 1]
        bounds = [*(str(bound) for bound in cells.BOUNDS), "+Inf"]
        total = self.total[first + cells.HISTOGRAM_CELLS - 1]
        return list(zip(bounds, accumulate(counts), strict=True)), total


class PoolCollector(Collector):
    """Exports the pools of all workers that share a metrics directory.

    A dead worker's gauges vanish at once; its counters stay, and the next worker in its slot goes
    on with them. Metric names and labels follow OpenTelemetry's semantic conventions for database
    clients in Prometheus form, plus ``worker``, the slot.

    Args:
        directory: the metrics directory; by default this process's own.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or metrics_directory()

    def collect(self) -> Iterator[Metric]:
        """Read all workers' cells once, and yield every metric family of the pool."""
        workers = [self._read(stored) for stored in cells.stored(self._directory)]
        alive = [worker for worker in workers if worker.alive]
        yield _connections(alive)
        yield from _gauges(alive)
        yield _connects(workers)
        for name, cell, text in COUNTERS:
            counter = CounterMetricFamily(name, text, labels=[POOL, "worker"])
            for worker in workers:
                counter.add_metric(worker.labels, worker.total[cell])
            yield counter
        for name, first, text in HISTOGRAMS:
            histogram = HistogramMetricFamily(name, text, labels=[POOL, "worker"])
            for worker in workers:
                histogram.add_metric(worker.labels, *worker.histogram(first))
            yield histogram

    def _read(self, stored: cells.Stored) -> _Worker:
        columns = list(zip(*stored.rows, strict=True)) or [(0.0,)] * cells.ROW
        return _Worker(
            pool=stored.pool,
            slot=stored.slot,
            alive=stored.header[cells.TENURE] == tenure(self._directory, stored.slot),
            size=stored.header[cells.SIZE],
            max_overflow=stored.header[cells.MAX_OVERFLOW],
            total=[sum(column) for column in columns],
            waiting_since=[since for since in columns[cells.WAITING_SINCE] if since],
        )


def _connections(workers: list[_Worker]) -> Metric:
    family = GaugeMetricFamily(
        "db_client_connection_count",
        "Open connections by state; the sum over states is all that the pool holds.",
        labels=[POOL, STATE, "worker"],
    )
    for worker in workers:
        used = worker.total[cells.USED]
        idle = worker.total[cells.OPEN] - used
        family.add_metric([worker.pool, "used", str(worker.slot)], used)
        family.add_metric([worker.pool, "idle", str(worker.slot)], idle)
    return family


def _gauges(workers: list[_Worker]) -> Iterator[Metric]:
    size = _gauge("sqlalchemy_pool_size", "Connections that the pool keeps open (pool_size).")
    limit = _gauge(
        "db_client_connection_max", "Most connections that the pool may open; +Inf: any number."
    )
    overflow = _gauge("sqlalchemy_pool_overflow", "Connections open beyond pool_size.")
    pending = _gauge(
        "db_client_connection_pending_requests", "Threads that wait for a connection now."
    )
    oldest = _gauge(
        "sqlalchemy_pool_oldest_wait_seconds", "How long the longest waiter has waited; 0: nobody."
    )
    now = monotonic()
    for worker in workers:
        unlimited = worker.max_overflow < 0
        size.add_metric(worker.labels, worker.size)
        limit.add_metric(
            worker.labels, float("inf") if unlimited else worker.size + worker.max_overflow
        )
        overflow.add_metric(worker.labels, max(0.0, worker.total[cells.OPEN] - worker.size))
        pending.add_metric(worker.labels, len(worker.waiting_since))
        since = min(worker.waiting_since, default=now)
        oldest.add_metric(worker.labels, max(0.0, now - since))
    yield from (size, limit, overflow, pending, oldest)


def _connects(workers: list[_Worker]) -> Metric:
    family = CounterMetricFamily(
        "sqlalchemy_pool_connects",
        "Attempts to open a connection, by outcome.",
        labels=[POOL, "outcome", "worker"],
    )
    for worker in workers:
        family.add_metric([worker.pool, "ok", str(worker.slot)], worker.total[cells.CONNECTS])
        family.add_metric(
            [worker.pool, "error", str(worker.slot)], worker.total[cells.CONNECT_ERRORS]
        )
    return family


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=[POOL, "worker"])
