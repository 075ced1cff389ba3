"""What the metrics port answers: HTTP metrics and pool metrics of all workers of this host."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

from flask import Flask
from prometheus_client import CollectorRegistry, Metric, make_wsgi_app, values
from prometheus_client.core import InfoMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_flask_exporter import PrometheusMetrics

from app.database import POOL_NAME
from app.pool import (
    Budget,
    BudgetCollector,
    PoolCollector,
    announce_worker,
    metrics_directory,
    worker_slot,
)

# From a cached answer to nginx's limit, seconds.
LATENCY_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0,
)  # fmt: skip

# The probes ask often, and are nobody's requests.
UNMEASURED = ("/livez", "/readyz")


def init_app(app: Flask) -> None:
    """Measure the requests of *app* by URL rule: paths would make a series for each id."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_directory())
    # By slot and not by process id, so that files do not grow with every worker that ever lived.
    values.ValueClass = values.MultiProcessValue(worker_slot)  # type: ignore[no-untyped-call]
    PrometheusMetrics(
        app,
        path=None,
        group_by="url_rule",
        buckets=LATENCY_BUCKETS,
        registry=CollectorRegistry(),
        excluded_paths=[f"^{path}$" for path in UNMEASURED],
    )


def exposition(
    budget: Budget | None = None, *others: Collector
) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """A WSGI application that answers with the metrics of all workers of this host."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(metrics_directory()))  # type: ignore[no-untyped-call]
    registry.register(PoolCollector())
    if budget is not None:
        registry.register(BudgetCollector(POOL_NAME, budget))
    for collector in others:
        registry.register(collector)
    return make_wsgi_app(registry)


def serve(listener: socket.socket, budget: Budget | None = None, *others: Collector) -> None:
    """Answer on *listener* in a thread of this process, which is a worker from now on.

    All workers accept on the socket that the arbiter opened before it forked them. Whoever is
    free answers for everybody, while request threads may all wait for a connection; a worker
    that is stopped accepts nothing, and delays no scrape.
    """
    announce_worker()
    server = ThreadingWSGIServer(listener.getsockname()[:2], _Silent, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = listener.getsockname()[:2]
    server.setup_environ()
    server.set_app(exposition(budget, *others))
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class NodeCollector(Collector):
    """Tells which machine of a fleet this replica runs on: ``clinic_node_info{node="..."} 1``."""

    def __init__(self, node: str) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """The one metric."""
        meaning = "The machine of a fleet that this replica of the application runs on."
        yield InfoMetricFamily("clinic_node", meaning, {"node": self._node})


class _Silent(WSGIRequestHandler):
    timeout = 5  # seconds for a client to send its request

    def log_message(self, format: str, *args: Any) -> None:
        """Log no scrape."""
