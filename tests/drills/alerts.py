"""What fires in a spike, a leak, slow queries and a restart of MySQL; and that nothing else does.

Each scenario begins when nothing fires and ends when nothing fires any more. Prometheus is asked
what fired, and when; the receiver's log, whether anybody was told.
"""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from tests.drills import record
from tests.stack.stack import GRAFANA_IMAGE, Stack, has_image
from tests.stack.traffic import Traffic, ask
from tests.waiting import eventually

LEAK_THRESHOLD = 15  # seconds
LEAKED = 3
SETTINGS = {"CLINIC_LAB_ENABLED": "true", "CLINIC_POOL_LEAK_THRESHOLD": str(LEAK_THRESHOLD)}
RESOLVED = 420.0  # seconds after the scenario; a restart is told of for five minutes
FIRING = 'ALERTS{alertstate="firing"}'


@dataclass(frozen=True)
class Fired:
    """One alert of a scenario: seconds from its begin until it fired, and for which it did."""

    after: float
    lasted: float


def steady(stack: Stack) -> None:
    """Ten minutes of everyday traffic."""
    stack.compose("run", "--rm", "--no-TTY", "loadtest", "steady", "--run-time", "10m", timeout=720)


def spike(stack: Stack) -> None:
    """More requests at once than there are connections, each of which is short."""
    crowd(stack, "/lab/hold?seconds=0.05", clients=24, seconds=30)


def slow_query(stack: Stack) -> None:
    """Queries that take half of pool_timeout: some wait in vain, for the queue is not fair.

    Among the steady traffic of the last hour, these failures are too few to burn the error budget.
    """
    crowd(stack, "/lab/slow?seconds=0.5", clients=24, seconds=45)


def crowd(stack: Stack, path: str, clients: int, seconds: float) -> None:
    """Ask for `path` again and again; it takes what it says, however fast the machine is."""
    until = time.monotonic() + seconds

    def client(_: int) -> None:
        while time.monotonic() < until:
            ask(stack, "GET", path)

    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(client, range(clients)))


def leak(stack: Stack) -> None:
    """Some connections are not returned until somebody was told of it."""
    began = time.time()
    for _ in range(LEAKED):
        ask(stack, "POST", "/lab/leak")
    eventually(
        lambda: "PoolLeakSuspected" in told(stack, began, "firing"), within=LEAK_THRESHOLD + 90
    )
    released = 0
    while released < LEAKED:  # each worker has its own
        released += ask(stack, "POST", "/lab/leak/release")[1]["released_by_this_worker"]


def restart(stack: Stack) -> None:
    """MySQL is killed under traffic, and started again when that fires."""
    with Traffic(stack) as traffic:
        stack.compose("kill", "mysql")
        eventually(lambda: "MySQLDown" in firing(stack), within=60)
        stack.compose("start", "mysql")
        started = time.monotonic()
        eventually(lambda: traffic.booked_since(started), within=60)


SCENARIOS: dict[Callable[[Stack], None], set[str]] = {
    steady: set(),
    spike: {"PoolWaiters", "PoolSaturated"},
    slow_query: {"PoolWaiters", "PoolWaitSlow", "PoolSaturated", "PoolTimeouts"},
    leak: {"PoolLeakSuspected"},
    restart: {"MySQLDown", "MySQLRestarted", "PoolConnectFailures"},
}


def main() -> None:
    """Bring up the stack, run every scenario, compare what fired, and record."""
    stack = Stack("poolsight-alerts", has_image(GRAFANA_IMAGE), settings=SETTINGS)
    try:
        stack.build()
        stack.up()
        version = stack.sql("SELECT VERSION()")[0][0]
        findings = {run.__name__: _scenario(stack, run) for run in SCENARIOS}
    finally:
        stack.down()
    passed = all(
        set(findings[run.__name__]["fired"]) == expected for run, expected in SCENARIOS.items()
    )
    record("alerts", passed, f"MySQL {version}", findings)


def _scenario(stack: Stack, run: Callable[[Stack], None]) -> dict[str, Any]:
    eventually(lambda: not firing(stack), within=RESOLVED)
    began = time.time()
    run(stack)
    ended = time.time()
    eventually(lambda: time.time() > ended + 10 and not firing(stack), within=RESOLVED)
    fired = history(stack, began)
    eventually(lambda: told(stack, began, "firing") <= told(stack, began, "resolved"), within=180)
    return {
        "seconds": round(ended - began),
        "fired": {name: asdict(one) for name, one in fired.items()},
        "told": sorted(told(stack, began, "firing")),
    }


def firing(stack: Stack) -> set[str]:
    """The names of the alerts that fire now."""
    return {dict(labels)["alertname"] for labels in stack.prometheus(FIRING)}


def history(stack: Stack, began: float) -> dict[str, Fired]:
    """What has fired since *began*, seconds since 1970: from the first until the last time."""
    query = f"{FIRING}[{time.time() - began:.0f}s]"
    path = "/api/v1/query?" + urllib.parse.urlencode({"query": query})
    _, body = stack.get(path, "PROMETHEUS_PORT")
    found: dict[str, list[float]] = {}
    for series in json.loads(body)["data"]["result"]:
        times = [float(moment) for moment, _ in series["values"]]
        found.setdefault(series["metric"]["alertname"], []).extend(times)
    return {
        name: Fired(round(min(times) - began, 1), round(max(times) - min(times), 1))
        for name, times in found.items()
    }


def told(stack: Stack, began: float, status: str) -> set[str]:
    """The names of the alerts of which the receiver was told since *began* that they are *status*.

    What a known cause explains is not told.
    """
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began))
    log = stack.compose("logs", "--no-log-prefix", "--since", since, "alert-log").stdout
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return {line["alert"] for line in lines if line["status"] == status}


if __name__ == "__main__":
    main()
