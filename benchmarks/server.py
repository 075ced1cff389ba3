"""gunicorn's configuration for the one-query application: it serves metrics as the clinic does."""

from __future__ import annotations

import os
from typing import Any

from app import metrics
from app.addresses import listen
from benchmarks import setting
from benchmarks.pools import BARE

bind = os.environ[setting.BIND]
workers = int(os.environ[setting.WORKERS])
threads = int(os.environ[setting.THREADS])
worker_class = "gthread"
reuse_port = True  # the kernel spreads connections, and not who wakes up first
control_socket_disable = True

_has_metrics = os.environ[setting.VARIANT] != BARE
_listener = listen(os.environ[setting.METRICS_BIND]) if _has_metrics else None


def post_worker_init(worker: Any) -> None:
    """Answer for metrics in every worker, where there are any."""
    if _listener is not None:
        metrics.serve(_listener)
