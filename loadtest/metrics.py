"""Locust's own metrics for Prometheus, served by the process that sends the requests.

In a distributed run that is every worker; the master has nothing to export.
"""

# mypy: allow-untyped-calls

from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

DEFAULT_BIND = "127.0.0.1:9646"
LABELS = ("method", "name")
BUCKETS = (
    0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
    0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 15.0,
)  # fmt: skip
LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class LoadMetrics:
    """Users, requests, failures, response times and open arrivals of one run of ``profile``."""

    def __init__(self, profile: str, users: Callable[[], int]) -> None:
        disable_created_metrics()
        self.registry = registry = CollectorRegistry()
        ProcessCollector(namespace="locust", registry=registry)  # its CPU is one processor at most
        Info("locust_profile", "The active load profile", registry=registry).info(
            {"profile": profile}
        )
        Gauge("locust_users", "Users that run now", registry=registry).set_function(users)
        self._requests = Counter(
            "locust_requests", "Requests answered or failed", LABELS, registry=registry
        )
        self._failures = Counter(
            "locust_failures", "Requests that failed", LABELS, registry=registry
        )
        self._response_time = Histogram(
            "locust_response_time_seconds",
            "Time from when a request was due to its answer",
            LABELS,
            buckets=BUCKETS,
            registry=registry,
        )
        self._arrivals = Counter(
            "locust_arrivals", "Open arrivals that were due", registry=registry
        )
        self._dropped = Counter(
            "locust_dropped_arrivals",
            "Open arrivals that were not sent: too many requests were in flight",
            registry=registry,
        )
        self._lag = Histogram(
            "locust_generator_lag_seconds",
            "Time from when an open arrival was due until the generator saw to it",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self._in_flight: list[Callable[[], int]] = []
        Gauge(
            "locust_in_flight", "Open arrivals that wait for their answer", registry=registry
        ).set_function(lambda: sum(count() for count in self._in_flight))

    def observe(
        self,
        request_type: str,
        name: str,
        response_time: float,
        exception: BaseException | None,
        **_others: Any,
    ) -> None:
        """Count one request; a listener of Locust's ``request`` event (times in ms)."""
        self._requests.labels(request_type, name).inc()
        self._response_time.labels(request_type, name).observe(response_time / 1000)
        # Made with the request, so that a failure rate exists, and is zero, before one fails.
        failures = self._failures.labels(request_type, name)
        if exception is not None:
            failures.inc()

    def arrived(self, lag: float) -> None:
        """Count an open arrival that is sent *lag* seconds after it was due."""
        self._arrivals.inc()
        self._lag.observe(lag)

    def dropped(self, lag: float) -> None:
        """Count an open arrival that cannot be sent."""
        self.arrived(lag)
        self._dropped.inc()

    def in_flight_of(self, count: Callable[[], int]) -> None:
        """Add a generator, whose requests in flight are counted by *count*."""
        self._in_flight.append(count)

    def serve(self, bind: str) -> None:
        """Serve ``/metrics`` on ``HOST:PORT``.

        Raises OSError when the port is taken and ValueError when ``bind`` has no port.
        """
        host, _, port = bind.rpartition(":")
        start_http_server(int(port), host, self.registry)
