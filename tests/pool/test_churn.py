"""Workers come and go: what a scrape costs does not grow with how many there have been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.pool.conftest import count, reader

DEATHS = 512

CHURN = f"""
import os, signal
from prometheus_client import CollectorRegistry, Counter, values
from app.pool import measured_pool, metrics_directory, worker_slot
from tests.pool.oracle import Recording

os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_directory())
engine = Recording().engine(measured_pool("churn"))

def worker():
    values.ValueClass = values.MultiProcessValue(worker_slot)
    engine.dispose(close=False)
    requests = Counter("requests", "Requests", registry=CollectorRegistry())
    engine.raw_connection().close()
    held = engine.raw_connection()
    requests.inc()
    os.kill(os.getpid(), signal.SIGKILL)

def die():
    pid = os.fork()
    if pid == 0:
        worker()
    os.waitpid(pid, 0)

die()
print(*sorted(os.listdir(metrics_directory())), flush=True)
for _ in range({DEATHS} - 1):
    die()
print(*sorted(os.listdir(metrics_directory())), flush=True)
"""


def test_files_of_512_workers_are_those_of_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHURN],
        cwd=ROOT,
        env={**os.environ, "SQLALCHEMY_POOL_METRICS_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    first, last = done.stdout.splitlines()
    assert first == last
    assert last.split() == ["0.lock", "churn.0.cells", "counter_0.db"]
    read = reader("churn", tmp_path)
    assert count(read, "used") == count(read, "idle") == read("sqlalchemy_pool_size") == 0
    assert read("sqlalchemy_pool_connects_total", outcome="ok") == DEATHS
    assert read("sqlalchemy_pool_holder_use_seconds_count") == DEATHS


READER = """
from app.pool import PoolCollector
from app.pool.slots import tenure
from pathlib import Path
import sys
print("ready", flush=True)
while True:
    tenure(Path(sys.argv[1]), 0)
"""

CLAIM = """
import os
from app.pool import worker_slot
from app.pool.slots import forget_after_fork
for _ in range(2000):
    assert worker_slot() == 0
    forget_after_fork()
"""


def test_reader_does_not_make_a_worker_skip_a_slot(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    ) as scraping:
        assert scraping.stdout is not None
        assert scraping.stdout.readline() == b"ready\n"
        done = subprocess.run(
            [sys.executable, "-c", CLAIM],
            cwd=ROOT,
            env={**os.environ, "SQLALCHEMY_POOL_METRICS_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        scraping.send_signal(signal.SIGKILL)
    assert done.returncode == 0, done.stderr
