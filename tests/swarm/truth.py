"""How many connections MySQL had all along, to compare the pools' gauges with."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import Any, Self

from tests.swarm.fleet import Fleet
from tests.swarm.servers import SOURCE, Servers

# By replica, as far as the release names it; by node and process where it is one from before.
PROCESSES = (
    "SELECT COALESCE(named.attr_value, CONCAT(SUBSTRING_INDEX(host, ':', 1), ' ', pid.attr_value)),"
    " COUNT(*) FROM performance_schema.processlist one"
    " LEFT JOIN performance_schema.session_connect_attrs named"
    " ON named.processlist_id = one.id AND named.attr_name = 'program_name'"
    " LEFT JOIN performance_schema.session_connect_attrs pid"
    " ON pid.processlist_id = one.id AND pid.attr_name = '_pid'"
    " WHERE user = 'app' GROUP BY 1"
)
GAUGES = 'sum(db_client_connection_count{db_client_connection_pool_name="clinic"})'
# A sum over all targets is of numbers that are up to a scrape interval old, each of a moment of its
# own, and a target is gone one interval after its replica. So what each replica had about then
# bounds what it adds to the sum.
BEFORE, AFTER = 10.0, 5.0  # seconds
# Prometheus learns of a new replica from DNS, within 2 s, and of what it learned within 5 s at each
# of two steps; then it scrapes it for the first time within 5 s.
FOUND = 17.0  # seconds


class Truth:
    """Counts the application's connections at the source twice a second, in a `with` block."""

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
            owners = {owner for counts in near for owner in counts}
            known = {
                owner for when, counts in self._seen if when <= at - FOUND for owner in counts
            }  # fmt: skip
            least = sum(min(counts.get(owner, 0) for counts in near) for owner in owners & known)
            most = sum(max(counts.get(owner, 0) for counts in near) for owner in owners)
            if not near or not least <= gauges <= most:
                wrong.append({"second": round(at - began), "gauges": gauges, "MySQL": near})
        return {"compared": len(course), "wrong": wrong}

    def _look(self) -> None:
        with self._servers.session(SOURCE) as ask:
            while not self._over.wait(0.5):
                self._seen.append((time.time(), {one: int(n) for one, n in ask(PROCESSES)}))
