"""Temporary directories that somebody owns, and that go once nobody does.

A directory is owned by a lock on it. The kernel gives it back when the process that made it and
all that were forked from it have ended, however they ended: no process id to mistake.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path


def make_directory(prefix: str) -> Path:
    """A new temporary directory, owned until this process and its children end."""
    while True:
        directory = Path(tempfile.mkdtemp(prefix=prefix))
        owned = _own(directory)
        # Who looks for directories without an owner may have seen it before it had one.
        if owned is not None and directory.exists():
            return directory


def remove_ownerless(prefix: str) -> None:
    """Remove the temporary directories of this prefix whose owners have ended."""
    for directory in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        owned = _own(directory)
        if owned is not None:
            shutil.rmtree(directory, ignore_errors=True)
            os.close(owned)


def _own(directory: Path) -> int | None:
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # gone meanwhile, or not ours to touch
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
