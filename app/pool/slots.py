"""Worker slots: small numbers that workers take and give back, each owned by one process.

Metric files belong to slots and not to processes, so their number, and the cost of a scrape, does
not grow with the number of workers that ever lived. A slot is owned by a lock on its file, which
the kernel gives back when the process dies, however it dies: no hook, no process id to mistake.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from functools import cache
from itertools import count
from pathlib import Path
from struct import Struct
from time import monotonic

DIRECTORY_VARIABLE = "SQLALCHEMY_POOL_METRICS_DIR"


@cache
def metrics_directory() -> Path:
    """The directory that all workers of this host share, made where it is missing.

    It is named by the environment variable ``SQLALCHEMY_POOL_METRICS_DIR``. A process that finds
    none makes one for itself alone, which goes with it.
    """
    if named := os.environ.get(DIRECTORY_VARIABLE):
        directory = Path(named)
        directory.mkdir(parents=True, exist_ok=True)
        return directory
    directory = Path(tempfile.mkdtemp(prefix="pool-metrics-"))
    atexit.register(_remove_own, directory, os.getpid())
    return directory


@cache
def worker_slot() -> int:
    """The slot of this process: the lowest that no living process owns, taken at the first call."""
    global _lock
    for slot in count():
        _lock = _open(metrics_directory(), slot)
        if _claim(_lock):
            os.pwrite(_lock, _TENURE.pack(monotonic()), 0)
            return slot
        os.close(_lock)
    raise AssertionError("count() ended")


def tenure(directory: Path, slot: int) -> float:
    """A number that stands for the present ownership of *slot*; 0 when no living process owns it.

    What a process writes for its slot carries this number, so that what the slot's last owner left
    is not taken for the next one's.
    """
    handle = _open(directory, slot)
    try:
        if _try(handle, fcntl.LOCK_SH):
            return 0.0
        written = os.pread(handle, _TENURE.size, 0)
    finally:
        os.close(handle)
    return float(_TENURE.unpack(written)[0]) if len(written) == _TENURE.size else 0.0


_TENURE = Struct("d")
_lock = -1


def _open(directory: Path, slot: int) -> int:
    return os.open(directory / f"{slot}.lock", os.O_RDWR | os.O_CREAT, 0o644)


def _claim(handle: int) -> bool:
    while not _try(handle, fcntl.LOCK_EX):
        # An owner refuses a shared lock as well; a reader, who asks for the tenure, does not.
        if not _try(handle, fcntl.LOCK_SH):
            return False
        fcntl.flock(handle, fcntl.LOCK_UN)
    return True


def _try(handle: int, lock: int) -> bool:
    try:
        fcntl.flock(handle, lock | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_own(directory: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)


def forget_after_fork() -> None:
    """Leave the parent's slot to the parent; the child takes one of its own when it needs it."""
    global _lock
    if _lock >= 0:
        # Closing a copy leaves the parent's lock in place; unlocking it would not.
        os.close(_lock)
        _lock = -1
    worker_slot.cache_clear()


os.register_at_fork(after_in_child=forget_after_fork)
