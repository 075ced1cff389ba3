"""Cleans up after its owner, however the owner ends: also after SIGKILL.

Run as ``python keeper.py DIRECTORY``. Standard input is a pipe from the owner: ``+GROUP`` and
``-GROUP`` lines name process groups to watch and to forget. When the pipe closes, the groups
that are left are killed and the directory is removed. Standard library only: it starts fast.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path


def main(directory: Path) -> None:
    """Wait for the owner to end, then kill its process groups and remove ``directory``."""
    for group in groups_left():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    remove(directory)


def groups_left() -> set[int]:
    """Read the pipe to its end; return the process groups that were not forgotten."""
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def remove(directory: Path) -> None:
    """Remove ``directory``; a process that is still dying may write to it for a moment."""
    deadline = time.monotonic() + 5
    while directory.exists() and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)
        time.sleep(0.02)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
