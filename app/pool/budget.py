"""Do all workers' pools together fit into what the server grants?

Pool settings are those of one worker, so what a fleet may open is workers x (pool_size +
max_overflow) x replicas. Where that is more than the server's ``max_connections`` less a reserve
for people, backups and exporters, the pool's own limit does not protect anybody: the server
refuses (MySQL error 1040) before the pool lets threads wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from .catalogue import BUDGET_LIMIT, BUDGET_NEEDED, POOL


@dataclass(frozen=True)
class Budget:
    """The connections that a fleet may open, and those that it may have.

    Attributes:
        workers: processes with a pool of their own, in each replica.
        replicas: of the application.
        size, max_overflow: of each pool.
        max_connections: the server's.
        reserve: how many of them are not for the application.
    """

    workers: int
    replicas: int
    size: int
    max_overflow: int
    max_connections: int
    reserve: int

    @property
    def per_replica(self) -> int:
        """Most connections that one replica may open."""
        return self.workers * (self.size + self.max_overflow)

    @property
    def needed(self) -> int:
        """Most connections that all replicas may open."""
        return self.per_replica * self.replicas

    @property
    def limit(self) -> int:
        """Most connections that they should."""
        return self.max_connections - self.reserve

    @property
    def fits(self) -> bool:
        """Whether the pools keep within the limit."""
        return self.needed <= self.limit

    @property
    def fits_rolling_restart(self) -> bool:
        """Whether they do so with one replica more, as while one takes over from another."""
        return self.needed + self.per_replica <= self.limit

    def __str__(self) -> str:
        return (
            f"{self.workers} workers x ({self.size} + {self.max_overflow}) x {self.replicas} "
            f"replicas = {self.needed} connections, of {self.max_connections} - {self.reserve} "
            f"reserved = {self.limit}"
        )


class BudgetCollector(Collector):
    """Exports a budget.

    Args:
        pool: the pool's name.
        budget: its budget.
    """

    def __init__(self, pool: str, budget: Budget) -> None:
        self._pool = pool
        self._budget = budget

    def collect(self) -> Iterator[Metric]:
        """Yield what is needed, and what is granted."""
        values = ((BUDGET_NEEDED, self._budget.needed), (BUDGET_LIMIT, self._budget.limit))
        for described, value in values:
            family = GaugeMetricFamily(described.name, described.meaning, labels=[POOL])
            family.add_metric([self._pool], value)
            yield family
