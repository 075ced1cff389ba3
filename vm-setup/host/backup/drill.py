"""The restore drill: what the repository gives back is compared with what runs."""

from __future__ import annotations

import time

import archive
import repository
from errors import BackupError
from metrics import publish
from restore import Position, restore
from server import LIVE, Scratch, ask, checksums, columns

# One script, so one session: the lock holds still for the moment in which snapshot and position are
# taken, as in every dump; the reading goes on without it.
NOTE = """SET SESSION lock_wait_timeout = 10;
FLUSH TABLES WITH READ LOCK;
START TRANSACTION WITH CONSISTENT SNAPSHOT;
SHOW BINARY LOG STATUS;
UNLOCK TABLES;
"""


def run() -> None:
    """Restore the newest dump and the binary logs to a noted position; compare every table.

    Raises:
        BackupError: something could not be restored, or a table differs.
    """
    began = time.time()
    try:
        compared = _compare()
    except Exception:
        publish("restore_drill", {"clinic_restore_drill_success": 0})
        raise
    took = time.time() - began
    publish(
        "restore_drill",
        {
            "clinic_restore_drill_success": 1,
            "clinic_restore_drill_completed_timestamp_seconds": began,
            "clinic_restore_drill_duration_seconds": took,
        },
    )
    rows = sum(int(count) for _, count, *_ in compared)
    print(f"{len(compared)} tables with {rows} rows are the same; it took {took:.0f} s")


def _compare() -> list[list[str]]:
    repository.run("check", "--quiet", "--read-data-subset=5%")
    tables = columns()
    status, *live = ask(LIVE, NOTE + checksums(tables))
    archive.binlogs()
    with Scratch() as scratch:
        restore(scratch, Position(status[0], int(status[1])))
        copy = ask(scratch.connection, checksums(tables))
    differing = [one[0] for one, other in zip(live, copy, strict=True) if one != other]
    if differing:
        raise BackupError(f"restored, these tables differ from what runs: {', '.join(differing)}")
    return live
