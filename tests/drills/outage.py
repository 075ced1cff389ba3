"""MySQL is stopped for 20 s under load: the gauges equal its processlist before, during and after.

A scrape is right when the processlist had as many of the application's connections at some moment
within one scrape interval of it. A server that does not answer has none.
"""

from __future__ import annotations

import json
import time
import urllib.parse
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from tests.drills import record
from tests.stack.stack import GRAFANA_IMAGE, Stack, has_image
from tests.stack.traffic import Traffic
from tests.waiting import eventually

INTERVAL = 5.0  # seconds between scrapes: monitoring/prometheus/prometheus.yml
PHASE = 30.0  # seconds of load before and after
DOWN = 20.0  # seconds
PROCESSES = "SELECT COUNT(*) FROM performance_schema.processlist WHERE user = 'app'"


@dataclass
class Processlist:
    """How many connections the server had, again and again while the `with` block runs."""

    stack: Stack
    seen: list[tuple[float, int]] = field(default_factory=list)

    def __enter__(self) -> Processlist:
        self._over = Event()
        self._thread = Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            self.seen.append((time.time(), self._count()))

    def _count(self) -> int:
        try:
            return int(self.stack.sql(PROCESSES)[0][0])
        except (RuntimeError, IndexError):
            return 0

    def near(self, moment: float) -> set[int]:
        """What it had within one scrape interval of *moment*, seconds since 1970."""
        return {count for at, count in self.seen if abs(at - moment) <= INTERVAL}


def main() -> None:
    """Bring up the stack, stop and start its database, compare, and record."""
    stack = Stack("poolsight-outage", has_image(GRAFANA_IMAGE))
    try:
        stack.build()
        stack.up()
        version = stack.sql("SELECT VERSION()")[0][0]
        findings = _outage(stack)
    finally:
        stack.down()
    phases = [findings[name] for name in ("before", "during", "after")]
    passed = all(phase["scrapes"] and not phase["wrong"] for phase in phases)
    record("outage", passed and findings["statuses"].keys() <= {"200", "201", "409", "503"},
           f"MySQL {version}", findings)  # fmt: skip


def _outage(stack: Stack) -> dict[str, Any]:
    with Traffic(stack) as traffic, Processlist(stack) as processlist:
        eventually(lambda: len(traffic.booked) > 20, within=30)
        began = time.time()
        _until(began + PHASE)
        stopped = time.time()
        stack.compose("stop", "mysql")
        _until(stopped + DOWN)
        started = time.time()
        stack.compose("start", "mysql")
        eventually(lambda: traffic.booked_since(time.monotonic() - 1), within=60)
        again = time.time()
        _until(again + PHASE)
    scrapes = _scrapes(stack, began, again + PHASE)
    return {
        "before": _compare(scrapes, processlist, began, stopped),
        "during": _compare(scrapes, processlist, stopped, started),
        "after": _compare(scrapes, processlist, started, again + PHASE),
        "seconds_until_a_booking_succeeded": round(again - started, 1),
        "statuses": {str(status): count for status, count in sorted(traffic.statuses.items())},
        "slowest_answer_seconds": round(traffic.slowest, 2),
    }


def _until(moment: float) -> None:
    eventually(lambda: time.time() >= moment, within=moment - time.time() + 5)


def _scrapes(stack: Stack, began: float, ended: float) -> list[tuple[float, int]]:
    """When the application was scraped, and the gauge's sum over its workers."""
    window = f"[{int(ended - began) + 1}s]"
    query = urllib.parse.urlencode({"query": f"db_client_connection_count{window}", "time": ended})
    status, body = stack.get(f"/api/v1/query?{query}", "PROMETHEUS_PORT")
    assert status == 200, body
    sums: dict[float, int] = {}
    for series in json.loads(body)["data"]["result"]:
        for at, value in series["values"]:
            sums[float(at)] = sums.get(float(at), 0) + int(value)
    return sorted(sums.items())


def _compare(
    scrapes: list[tuple[float, int]], processlist: Processlist, began: float, ended: float
) -> dict[str, Any]:
    phase = [(at, count) for at, count in scrapes if began <= at < ended]
    wrong = [
        {"second": round(at - began, 1), "gauge": count, "processlist": sorted(near)}
        for at, count in phase
        if count not in (near := processlist.near(at))
    ]
    return {
        "scrapes": len(phase),
        "connections": [min(values), max(values)]
        if (values := [count for _, count in phase])
        else [],
        "wrong": wrong,
    }


if __name__ == "__main__":
    main()
