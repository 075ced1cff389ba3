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
    disable_created_metrics,
    start_http_server,
)

DEFAULT_BIND = "127.0.0.1:9646"
LABELS = ("method", "name")
BUCKETS = (
    0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
    0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 15.0,
)  # fmt: skip


class LoadMetrics:
    """Users, requests, failures and response times (seconds) of one run of ``profile``."""

    def __init__(self, profile: str, users: Callable[[], int]) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry()
        Info("locust_profile", "The active load profile", registry=self.registry).info(
            {"profile": profile}
        )
        Gauge("locust_users", "Users that run now", registry=self.registry).set_function(users)
        self._requests = Counter(
            "locust_requests", "Requests answered or failed", LABELS, registry=self.registry
        )
        self._failures = Counter(
            "locust_failures", "Requests that failed", LABELS, registry=self.registry
        )
        self._response_time = Histogram(
            "locust_response_time_seconds",
            "Time from sending a request to its answer",
            LABELS,
            buckets=BUCKETS,
            registry=self.registry,
        )

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

    def serve(self, bind: str) -> None:
        """Serve ``/metrics`` on ``HOST:PORT``.

        Raises OSError when the port is taken and ValueError when ``bind`` has no port.
        """
        host, _, port = bind.rpartition(":")
        start_http_server(int(port), host, self.registry)
