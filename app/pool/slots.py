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
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from struct import Struct
from threading import Lock
from time import monotonic, sleep

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


def worker_slot() -> int:
    """The slot of this process: the lowest that no living process owns, taken at the first call."""
    global _owned
    if _owned is None:
        with _taking:
            _owned = _owned or _take()
    return _owned.slot


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


@dataclass(frozen=True)
class _Owned:
    slot: int
    handle: int  # of the locked file


_TENURE = Struct("d")
_ATTEMPTS = 100  # to lock a file while others read from it
_owned: _Owned | None = None
_taking = Lock()


def _take() -> _Owned:
    for slot in count():
        handle = _open(metrics_directory(), slot)
        if _claim(handle):
            os.pwrite(handle, _TENURE.pack(monotonic()), 0)
            return _Owned(slot, handle)
        os.close(handle)
    raise AssertionError("count() ended")


def _open(directory: Path, slot: int) -> int:
    return os.open(directory / f"{slot}.lock", os.O_RDWR | os.O_CREAT, 0o644)


def _claim(handle: int) -> bool:
    for _ in range(_ATTEMPTS):
        if _try(handle, fcntl.LOCK_EX):
            return True
        # An owner refuses a shared lock as well; a reader, who asks for the tenure, does not.
        if not _try(handle, fcntl.LOCK_SH):
            return False
        fcntl.flock(handle, fcntl.LOCK_UN)
        sleep(0.001)
    return False  # a reader that was stopped, or left its handle to a child; there are other slots


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
    global _owned, _taking
    if _owned is not None:
        # Closing a copy leaves the parent's lock in place; unlocking it would not.
        os.close(_owned.handle)
        _owned = None
    _taking = Lock()


def _before_fork() -> None:
    # A child must not keep the handle of a slot that is being taken.
    _taking.acquire()


def _after_fork() -> None:
    _taking.release()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork, after_in_child=forget_after_fork
)
