"""Several workers, one truth: slots, their reuse, and what a death leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Engine

from app.pool.slots import DIRECTORY_VARIABLE
from tests.conftest import ROOT
from tests.pool.conftest import Reading, count, reader

WORKER = """
import sys
from pathlib import Path
from app.pool import measured_pool, worker_slot
from tests.pool.conftest import make_engine

engine = make_engine(Path(sys.argv[1]), measured_pool("fleet"))
held = engine.connect()
print(worker_slot(), flush=True)
sys.stdin.read()
held.close()
engine.dispose()
"""


CLAIM = """
import sys
from app.pool import worker_slot

print(worker_slot(), flush=True)
sys.stdin.read()
"""


class Worker:
    """A process that holds one connection until it is told to end."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(directory)],
            cwd=ROOT,
            env={**os.environ, DIRECTORY_VARIABLE: str(directory)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.slot = int(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate("")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


def used(read: Reading, workers: int) -> list[float]:
    return [count(read, "used", worker) for worker in range(workers)]


def test_each_worker_has_its_slot_and_all_are_seen(tmp_path: Path) -> None:
    read = reader("fleet", tmp_path)
    workers = [Worker(tmp_path) for _ in range(3)]
    assert sorted(worker.slot for worker in workers) == [0, 1, 2]
    assert used(read, 3) == [1, 1, 1]
    for worker in workers:
        worker.end()


def test_killed_worker_leaves_counters_but_no_gauges(tmp_path: Path) -> None:
    read = reader("fleet", tmp_path)
    Worker(tmp_path).kill()
    assert count(read, "used") == 0
    assert read("sqlalchemy_pool_size") == 0
    assert read("sqlalchemy_pool_connects_total", outcome="ok") == 1


def test_next_worker_takes_the_slot_and_goes_on_counting(tmp_path: Path) -> None:
    read = reader("fleet", tmp_path)
    for deaths in range(1, 4):
        worker = Worker(tmp_path)
        assert worker.slot == 0
        assert used(read, 1) == [1]
        assert read("sqlalchemy_pool_connects_total", outcome="ok") == deaths
        worker.kill()
    assert len(list(tmp_path.glob("*.cells"))) == 1


def test_slot_that_changed_hands_shows_nothing_of_the_dead(tmp_path: Path) -> None:
    """Not even before its new owner has made the dead worker's pool."""
    read = reader("fleet", tmp_path)
    Worker(tmp_path).kill()
    with subprocess.Popen(
        [sys.executable, "-c", CLAIM],
        cwd=ROOT,
        env={**os.environ, DIRECTORY_VARIABLE: str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"0\n"
        assert count(read, "used") == 0
        assert read("sqlalchemy_pool_size") == 0
        owner.communicate(b"")


def test_forked_child_counts_for_itself(engine: Engine, read: Reading) -> None:
    with engine.connect():
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            engine.dispose(close=False)
            held = engine.connect()
            os.write(writing, str(count(read, "used", 1)).encode())
            os._exit(held.closed)
        os.waitpid(child, 0)
        assert float(os.read(reading, 16)) == 1
        assert count(read, "used") == 1
        assert count(read, "used", 1) == 0
    os.close(reading)
    os.close(writing)


def test_unknown_or_torn_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "pool.0.cells").write_bytes(b"x" * 100)
    assert count(reader("pool", tmp_path), "used") == 0
