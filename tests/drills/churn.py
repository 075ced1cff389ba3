"""512 workers are started and killed: a scrape costs as much after the last as after the first."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import __version__ as sqlalchemy_version

from app.pool import PoolCollector, measured_pool, metrics_directory, worker_slot
from tests.drills import record
from tests.pool.oracle import Recording

DEATHS = 512
SCRAPES = 200
WORST_RATIO = 2.0


def main() -> None:
    """Scrape after the first death and after the last, and record."""
    directory = metrics_directory()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    engine = Recording().engine(measured_pool("churn"))

    def work() -> None:
        values.ValueClass = values.MultiProcessValue(worker_slot)  # type: ignore[no-untyped-call]
        requests = Counter("requests", "Requests", ["path"], registry=CollectorRegistry())
        for number in range(20):
            requests.labels(f"/{number}").inc()
            engine.raw_connection().close()

    _die(work)
    first, files = _scrape_seconds(), _files(directory)
    for _ in range(DEATHS - 1):
        _die(work)
    last = _scrape_seconds()
    findings = {
        "workers": DEATHS,
        "files_and_bytes_after_the_first": files,
        "files_and_bytes_after_the_last": _files(directory),
        "milliseconds_of_a_scrape_after_the_first": round(first * 1000, 3),
        "ratio_after_the_last": round(last / first, 3),
    }
    passed = last / first <= WORST_RATIO and files == _files(directory)
    record("churn", passed, f"sqlite, SQLAlchemy {sqlalchemy_version}", findings)


def _die(work: Callable[[], None]) -> None:
    pid = os.fork()
    if pid == 0:
        work()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)


def _scrape_seconds() -> float:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(PoolCollector())
    taken = []
    for _ in range(SCRAPES):
        began = perf_counter()
        generate_latest(registry)
        taken.append(perf_counter() - began)
    return median(taken)


def _files(directory: Path) -> tuple[int, int]:
    sizes = [path.stat().st_size for path in directory.iterdir()]
    return len(sizes), sum(sizes)


if __name__ == "__main__":
    main()
