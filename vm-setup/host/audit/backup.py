"""Backups: that they are made, kept elsewhere, and can be restored; as they say of themselves."""

from __future__ import annotations

import re
import time
from pathlib import Path

from controls import Verdict, accepted, control, failed, holds, none_of, passed
from facts import Database, run

METRICS = Path("/var/lib/poolsight/metrics")
ENVIRONMENT = Path("/etc/poolsight/backup.env")
JOBS = ("dump", "binlogs", "drill")
# Seconds; the alerts' own limits, in monitoring/thresholds.py.
BACKUP_AGE = 26 * 3600
BINLOGS_AGE = 1800
DRILL_AGE = 8 * 86400


def read(text: str) -> dict[str, float]:
    """The values in Prometheus' text format, by name and labels."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines if name}


def published() -> dict[str, float]:
    """What the backups published."""
    return read("".join(path.read_text() for path in sorted(METRICS.glob("*.prom"))))


def since(at: float, now: float) -> str:
    """How long ago *at* was, in words."""
    seconds = int(now - at)
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def is_recent(name: str, most: int, values: dict[str, float], now: float) -> Verdict:
    """Whether the time *name* is at most *most* seconds ago."""
    if name not in values:
        return failed("never")
    return holds(now - values[name] <= most, since(values[name], now))


@control(
    "cis-2.1.1",
    "There is a backup of the last day",
    "`sudo systemctl start poolsight-dump`; journalctl -u poolsight-dump says what failed.",
)
def backup_is_recent(_: Database) -> Verdict:
    """Made nightly."""
    name = "clinic_backup_completed_timestamp_seconds"
    return is_recent(name, BACKUP_AGE, published(), time.time())


@control(
    "own-binlogs",
    "Binary logs were archived within the last half an hour",
    "`sudo systemctl start poolsight-binlogs`; journalctl -u poolsight-binlogs.",
)
def binlogs_are_recent(_: Database) -> Verdict:
    """Every five minutes: as much is lost at most."""
    name = "clinic_binlogs_archived_timestamp_seconds"
    return is_recent(name, BINLOGS_AGE, published(), time.time())


@control(
    "cis-2.1.2",
    "Backups were restored and compared within the last week",
    "`sudo systemctl start poolsight-drill`; journalctl -u poolsight-drill says what differs.",
)
def backup_can_be_restored(_: Database) -> Verdict:
    """By the weekly drill."""
    values = published()
    if values.get("clinic_restore_drill_success") == 0:
        return failed("the last drill failed")
    name = "clinic_restore_drill_completed_timestamp_seconds"
    return is_recent(name, DRILL_AGE, values, time.time())


@control("own-backup-timers", "Backups are made without anybody", "`sudo vm-setup/host/backup.sh`")
def backups_are_scheduled(_: Database) -> Verdict:
    """By three timers."""
    timers = run("systemctl", "list-timers", "--full", "--no-pager", "--no-legend")
    missing = [job for job in JOBS if f"poolsight-{job}.timer" not in timers]
    return none_of((f"no timer for {job}" for job in missing), "timers for " + ", ".join(JOBS))


def repository(environment: str) -> str:
    """Where restic's repository is, of what its environment file says."""
    found = re.search(r"^RESTIC_REPOSITORY=(.+)$", environment, re.MULTILINE)
    return found[1].strip("\"'") if found else ""


@control(
    "cis-2.1.4",
    "Backups are encrypted, and not on this machine",
    "BACKUP_REPOSITORY=azure:CONTAINER:/ or gs:BUCKET:/, and `sudo vm-setup/host/backup.sh`.",
)
def backups_are_elsewhere(_: Database) -> Verdict:
    """restic encrypts whatever it stores."""
    where = repository(ENVIRONMENT.read_text())
    if not where:
        return failed(f"{ENVIRONMENT} names no repository")
    if not where.startswith(("/", "local:")):
        return passed(f"restic, {where}")
    return accepted(
        "it was asked for (BACKUP_REPOSITORY is a folder). It helps against mistakes, and not when "
        "the machine is lost: copy it elsewhere, or use the cloud's storage.",
        f"restic, {where}",
    )
