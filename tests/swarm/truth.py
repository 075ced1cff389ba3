"""How many connections MySQL had all along, to compare the pools' gauges with."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import Any, Self

from tests.swarm.fleet import Fleet
from tests.swarm.servers import SOURCE, Servers

PROCESSES = (
    "SELECT SUBSTRING_INDEX(host, ':', 1), COUNT(*) FROM performance_schema.processlist "
    "WHERE user = 'app' GROUP BY 1"
)
GAUGES = 'sum(db_client_connection_count{db_client_connection_pool_name="clinic"})'
# A sum over all targets is of numbers that are up to a scrape interval old, each of a moment of its
# own, and a target is gone one interval after its replica. So each node's count about then bounds
# what its replicas add to the sum.
BEFORE, AFTER = 10.0, 5.0  # seconds


class Truth:
    """Counts the application's connections at the source each second, in a `with` block."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._seen: list[tuple[float, dict[str, int]]] = []
        self._over = Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def compare(self, fleet: Fleet, began: float, ended: float) -> dict[str, Any]:
        """Whether the gauges' sum was a number that MySQL had about then, each 5 s."""
        wrong = []
        course = fleet.course(GAUGES, began, ended)
        for at, gauges in course:
            near = [count for when, count in self._seen if at - BEFORE <= when <= at + AFTER]
            nodes = {node for counts in near for node in counts}
            least, most = (
                sum(bound(counts.get(node, 0) for counts in near) for node in nodes)
                for bound in (min, max)
            )
            if not near or not least <= gauges <= most:
                wrong.append({"second": round(at - began), "gauges": gauges, "MySQL": near})
        return {"compared": len(course), "wrong": wrong}

    def now(self) -> dict[str, int]:
        """How many there are, by the address that they come from: a node's."""
        return {node: int(count) for node, count in self._servers.sql(SOURCE, PROCESSES)}

    def _look(self) -> None:
        while not self._over.wait(1):
            self._seen.append((time.time(), self.now()))
