"""Workers come and go: what a scrape costs does not grow with how many there have been."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.pool.conftest import count, python, reader

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
    done = python(CHURN, tmp_path)
    assert done.returncode == 0, done.stderr
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
        done = python(CLAIM, tmp_path)
        scraping.send_signal(signal.SIGKILL)
    assert done.returncode == 0, done.stderr


def test_slot_whose_reader_does_not_let_go_is_left_out(tmp_path: Path) -> None:
    with (tmp_path / "0.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        done = python("from app.pool import worker_slot; print(worker_slot())", tmp_path)
    assert done.stdout == "1\n", done.stderr


ABRUPT = """
import sys
from threading import Barrier, Thread
from app.pool import measured_pool
from tests.pool.oracle import Recording

sys.setswitchinterval(1e-6)
barrier = Barrier(8)
held = []

def first_use(engine):
    barrier.wait()
    held.append(engine.connect())

engines = [Recording().engine(measured_pool(f"pool {number}")) for number in range(8)]
threads = [Thread(target=first_use, args=(engine,)) for engine in engines]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_ask_first_at_once_share_one_slot(tmp_path: Path) -> None:
    for attempt in range(5):
        directory = tmp_path / str(attempt)
        assert python(ABRUPT, directory).returncode == 0
        assert sorted(path.name for path in directory.glob("*.lock")) == ["0.lock"]


FORK = """
import gc, os
from app.pool import PoolCollector, measured_pool, layout
from tests.pool.oracle import Recording

gc.disable()
engine = Recording().engine(measured_pool("forked"))
leaked = [engine.raw_connection()]
leaked.append(leaked)                              # only a collection returns it
del leaked
gc.set_threshold(4 + gc.get_count()[0], 1000, 1000)
gc.enable()
if os.fork() == 0:
    os._exit(0)
os.wait()
assert gc.isenabled()
gc.collect()
(worker,) = PoolCollector().workers()
print(worker.used, worker.idle, worker.count(layout.USE))
"""


def test_collection_in_a_child_returns_nothing_of_the_parents(tmp_path: Path) -> None:
    done = python(FORK, tmp_path)
    assert done.stdout == "0 1 1.0\n", done.stderr
