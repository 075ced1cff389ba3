"""A measured engine on a file database, and readings of what it exports."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import Pool

from app.pool import PoolCollector, measured_pool, metrics_directory
from tests.conftest import ROOT
from tests.pool.oracle import only

Reading = Callable[..., float]


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A pool name of the test's own, so that counters start at zero."""
    return str(request.node.nodeid)


@pytest.fixture
def engine(name: str, tmp_path: Path) -> Iterator[Engine]:
    """An engine with pool 2+1 and a wait of 0.3 s."""
    engine = make_engine(tmp_path, measured_pool(name))
    yield engine
    engine.dispose()


@pytest.fixture
def read(name: str) -> Reading:
    """``read(metric, **labels)``: the sum of what is exported with these labels."""
    return reader(name)


def make_engine(directory: Path, poolclass: type[Pool]) -> Engine:
    return create_engine(
        f"sqlite:///{directory}/pool.db",
        poolclass=poolclass,
        pool_size=2,
        max_overflow=1,
        pool_timeout=0.3,
        connect_args={"check_same_thread": False},
    )


def reader(name: str, directory: Path | None = None) -> Reading:
    view = Path(tempfile.mkdtemp(prefix="pool-view-"))
    atexit.register(shutil.rmtree, view)
    registry = CollectorRegistry()
    registry.register(PoolCollector(view))

    def read(metric: str, worker: int = 0, **labels: str) -> float:
        only(name, directory or metrics_directory(), view)
        wanted = {"db_client_connection_pool_name": name, "worker": str(worker), **labels}
        samples = (sample for family in registry.collect() for sample in family.samples)
        return sum(
            sample.value
            for sample in samples
            if sample.name == metric and wanted.items() <= sample.labels.items()
        )

    return read


def count(read: Reading, state: str, worker: int = 0) -> float:
    return read("db_client_connection_count", worker, db_client_connection_state=state)


def python(script: str, directory: Path | str) -> subprocess.CompletedProcess[str]:
    """Run *script* as a process of its own that shares *directory*."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        env={**os.environ, "SQLALCHEMY_POOL_METRICS_DIR": str(directory)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
