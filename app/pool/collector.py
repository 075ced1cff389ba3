"""What is exported: the cells of all workers as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from . import cells
from .catalogue import METRICS, POOL, Described, Kind
from .slots import metrics_directory, tenure
from .worker import Worker


class PoolCollector(Collector):
    """Exports the pools of all workers that share a metrics directory.

    A dead worker's gauges vanish at once; its counters stay, and the next worker in its slot goes
    on with them. What there is, is in :mod:`app.pool.catalogue`.

    Args:
        directory: the metrics directory; by default this process's own.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or metrics_directory()

    def collect(self) -> Iterator[Metric]:
        """Read all workers' cells once, and yield every metric family of the pool."""
        workers = self.workers()
        alive = [worker for worker in workers if worker.alive]
        for described in METRICS:
            shown = alive if described.kind is Kind.GAUGE else workers
            yield from _family(described, shown)

    def workers(self) -> list[Worker]:
        """Every worker that has recorded anything, dead ones too."""
        return [
            Worker(stored, self._is_owner(stored), monotonic())
            for stored in cells.stored(self._directory)
        ]

    def _is_owner(self, stored: cells.Stored) -> bool:
        # A process that was killed before it wrote its tenure left none.
        return 0.0 != stored.tenure == tenure(self._directory, stored.slot)


def _family(described: Described, workers: Iterable[Worker]) -> Iterator[Metric]:
    labels = [POOL, *described.labels, "worker"]
    family: Any = _FAMILIES[described.kind](described.name, described.meaning, labels=labels)
    for worker in workers:
        for values, *value in described.read(worker):
            names = [worker.stored.pool, *values, str(worker.stored.slot)]
            family.add_metric(names, *value)
    yield family


_FAMILIES = {
    Kind.GAUGE: GaugeMetricFamily,
    Kind.COUNTER: CounterMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
    Kind.SUMMARY: SummaryMetricFamily,
}
