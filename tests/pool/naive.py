"""What people write: gauges stepped up and down in event hooks, and a queue that counts Empty.

The steps are those of opentelemetry-instrumentation-sqlalchemy 0.66b1, the queue's those of a
public "observed" queue pool. It is here to be wrong, so that the tests are known to be able to
fail.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from sqlalchemy import event
from sqlalchemy.pool import QueuePool
from sqlalchemy.util.queue import Empty, Queue


class NaiveMetrics:
    """The metrics of one pool class, and what they say."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._used = Gauge("used", "In use", registry=registry, multiprocess_mode="livesum")
        self._idle = Gauge("idle", "Idle", registry=registry, multiprocess_mode="livesum")
        self._timeouts = Counter("timeouts", "Timeouts", registry=registry)
        self._waits = Histogram("wait_seconds", "Waits", registry=registry)
        self._read = registry.get_sample_value

    def pool_class(self) -> type[QueuePool]:
        """A pool class that keeps these metrics."""
        pool_class = type("NaiveQueuePool", (QueuePool,), {"_queue_class": self._queue_class()})
        event.listen(pool_class, "connect", lambda *_: self._idle.inc())
        event.listen(pool_class, "close", lambda *_: self._idle.dec())
        event.listen(pool_class, "checkout", lambda *_: self._move(1))
        event.listen(pool_class, "checkin", lambda *_: self._move(-1))
        return pool_class

    def _move(self, step: int) -> None:
        self._used.inc(step)
        self._idle.dec(step)

    def _queue_class(self) -> type[Queue[Any]]:
        waits, timeouts = self._waits, self._timeouts

        class ObservedQueue(Queue[Any]):
            def get(self, block: bool = True, timeout: float | None = None) -> Any:
                began = monotonic()
                try:
                    return super().get(block, timeout)
                except Empty:
                    if block:
                        timeouts.inc()
                    raise
                finally:
                    waits.observe(monotonic() - began)

        return ObservedQueue

    def states(self) -> tuple[float, float]:
        """Connections used and idle."""
        return self._read("used") or 0.0, self._read("idle") or 0.0

    def timeouts(self) -> float:
        """Waits that ended without a connection."""
        return self._read("timeouts_total") or 0.0

    def longest_wait(self) -> float:
        """The best it can say of who suffers: the mean wait."""
        return (self._read("wait_seconds_sum") or 0.0) / (self._read("wait_seconds_count") or 1.0)
