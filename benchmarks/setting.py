"""What the one-query application and its server are told, in environment variables."""

from __future__ import annotations

from typing import Final

VARIANT: Final = "BENCHMARK_VARIANT"
WORKERS: Final = "BENCHMARK_WORKERS"
THREADS: Final = "BENCHMARK_THREADS"
BIND: Final = "BENCHMARK_BIND"
METRICS_BIND: Final = "BENCHMARK_METRICS_BIND"
