"""Into the repository: a consistent dump, and the binary logs that continue it."""

from __future__ import annotations

import time
from pathlib import Path

import repository
from errors import BackupError
from metrics import publish
from server import DATA, LIVE, SCHEMA, ask, server_id

DUMP, BINLOGS, FILE = "dump", "binlogs", "clinic.sql"
EMPTY = 2  # events of a binary log in which nothing happened: its format, and the earlier GTIDs
KEEP = {
    DUMP: ["--keep-daily", "7", "--keep-weekly", "5", "--keep-monthly", "6"],
    # Each holds a week of them, so one a day is enough for the second of any day.
    BINLOGS: ["--keep-last", "12", "--keep-daily", "35"],
}


def mysqldump(connection: tuple[str, ...], *options: str) -> list[str]:
    """The command that prints the schema as it is at one moment."""
    return [
        "mysqldump", *connection, "--single-transaction", "--routines", "--events", "--triggers",
        "--set-gtid-purged=OFF", "--hex-blob", *options, SCHEMA,
    ]  # fmt: skip


def dump() -> None:
    """Store a dump, which says where the binary logs go on from it; let old ones go."""
    began = time.time()
    repository.store(mysqldump(LIVE, "--source-data=2"), FILE, DUMP, server_id())
    for kind, keep in KEEP.items():
        repository.run("forget", "--quiet", "--tag", kind, "--group-by", "tags", *keep)
    repository.run("prune", "--quiet")
    publish(
        "backup",
        {
            "clinic_backup_completed_timestamp_seconds": began,
            "clinic_backup_duration_seconds": time.time() - began,
        },
    )


def binlogs() -> None:
    """Store the binary logs up to now."""
    began = time.time()
    try:
        if _anything_in(_names()[-1]):
            ask(LIVE, "FLUSH BINARY LOGS")
        files, server = [DATA / name for name in _names()[:-1]], server_id()
    except BackupError:
        # The server is away. What it wrote is there all the same.
        files, server = _lying_about()
    if files:
        repository.store_files(files, BINLOGS, server)
    publish("binlogs", {"clinic_binlogs_archived_timestamp_seconds": began})


def _names() -> list[str]:
    return [row[0] for row in ask(LIVE, "SHOW BINARY LOGS")]


def _anything_in(name: str) -> bool:
    return len(ask(LIVE, f"SHOW BINLOG EVENTS IN '{name}' LIMIT {EMPTY + 1}")) > EMPTY


def _lying_about() -> tuple[list[Path], str]:
    identity = DATA / "auto.cnf"
    if not identity.exists():
        raise BackupError(f"MySQL does not answer, and {DATA} holds no data of it.")
    server = identity.read_text().partition("server-uuid=")[2].split()[0]
    return sorted(DATA.glob("binlog.[0-9]*")), server
