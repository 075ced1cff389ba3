"""Pool metrics as people write them: prometheus_client, updated in event listeners."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy import Engine, event

LABELS = ("pool",)
POOL = "orders"

USED = Gauge("naive_used", "Connections in use.", LABELS, multiprocess_mode="livesum")
IDLE = Gauge("naive_idle", "Idle connections.", LABELS, multiprocess_mode="livesum")
CONNECTS = Counter("naive_connects", "Connections opened.", LABELS)
CLOSES = Counter("naive_closes", "Connections closed.", LABELS)
CHECKOUTS = Counter("naive_checkouts", "Connections borrowed.", LABELS)
CHECKINS = Counter("naive_checkins", "Connections returned.", LABELS)
USE = Histogram("naive_use_seconds", "Time between borrowing and returning.", LABELS)


def instrument(engine: Engine) -> None:
    """Step gauges, counters and a histogram at each event of the pool of *engine*."""
    event.listen(engine, "connect", _connect)
    event.listen(engine, "close", _close)
    event.listen(engine, "checkout", _checkout)
    event.listen(engine, "checkin", _checkin)


def _connect(connection: Any, record: Any) -> None:
    IDLE.labels(POOL).inc()
    CONNECTS.labels(POOL).inc()


def _close(connection: Any, record: Any) -> None:
    IDLE.labels(POOL).dec()
    CLOSES.labels(POOL).inc()


def _checkout(connection: Any, record: Any, proxy: Any) -> None:
    USED.labels(POOL).inc()
    IDLE.labels(POOL).dec()
    CHECKOUTS.labels(POOL).inc()
    record.info["borrowed"] = perf_counter()


def _checkin(connection: Any, record: Any) -> None:
    USED.labels(POOL).dec()
    IDLE.labels(POOL).inc()
    CHECKINS.labels(POOL).inc()
    USE.labels(POOL).observe(perf_counter() - record.info["borrowed"])
