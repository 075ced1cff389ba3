"""Out of the repository, into a server of its own: a dump, then the binary logs to a point."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import repository
from archive import BINLOGS, DUMP, FILE
from errors import BackupError
from repository import Snapshot
from server import SCHEMA, SCRATCH, Scratch, load

HEAD = re.compile(rb"SOURCE_LOG_FILE='([^']+)', SOURCE_LOG_POS=(\d+)")
AT_ONCE = timedelta(minutes=1)  # between a dump's begin and the moment it shows


@dataclass(frozen=True)
class Position:
    """A place in the binary logs."""

    file: str
    offset: int


@dataclass(frozen=True)
class Restored:
    """What a copy was made of."""

    dump: Snapshot
    binlogs: list[str]


def restore(scratch: Scratch, until: datetime | Position) -> Restored:
    """Make the clinic in *scratch* what it was at *until*.

    Raises:
        BackupError: no dump is from before that, or a binary log is missing.
    """
    dump = _dump_before(until if isinstance(until, datetime) else None)
    load(scratch.connection, [f"CREATE DATABASE {SCHEMA} COLLATE utf8mb4_unicode_520_ci".encode()])
    start, pieces = _position(repository.read(dump, FILE))
    load((*scratch.connection, SCHEMA), pieces)
    files = _binlogs(dump, start, until)
    load(scratch.connection, _events(files, start, until))
    return Restored(dump, [file.name for file in files])


def _dump_before(until: datetime | None) -> Snapshot:
    found = [
        one for one in repository.snapshots(DUMP) if until is None or one.time + AT_ONCE <= until
    ]
    if not found:
        raise BackupError(
            f"no dump is from before {until or 'now'}. `restic snapshots --tag dump` lists them."
        )
    return found[-1]


def _position(pieces: Iterator[bytes]) -> tuple[Position, Iterator[bytes]]:
    # The dump's first lines say where it was; they are loaded like the others.
    first = next(pieces, b"")
    found = HEAD.search(first)
    if found is None:
        raise BackupError("the dump does not say where the binary logs go on from it")

    def all_of_it() -> Iterator[bytes]:
        yield first
        yield from pieces

    return Position(found[1].decode(), int(found[2])), all_of_it()


def _binlogs(dump: Snapshot, start: Position, until: datetime | Position) -> list[Path]:
    folder = SCRATCH / "binlogs"
    folder.mkdir()
    of_it = [one for one in repository.snapshots(BINLOGS) if one.server == dump.server]
    later = [one for one in of_it if isinstance(until, datetime) and one.time >= until]
    # The first that has all of it, then as far back as the dump needs.
    for one in reversed(of_it[: len(of_it) - len(later) + 1] if later else of_it):
        repository.restore(one, folder)
        if any(folder.rglob(start.file)):
            break
    files = sorted({file.name: file for file in folder.rglob("binlog.[0-9]*")}.values())
    files = [file for file in files if file.name >= start.file]
    if isinstance(until, Position):
        files = [file for file in files if file.name <= until.file]
    _check_unbroken(files, start)
    return files


def _check_unbroken(files: list[Path], start: Position) -> None:
    wanted = int(start.file.rpartition(".")[2])
    for number, file in enumerate(files, wanted):
        if int(file.suffix[1:]) != number:
            raise BackupError(f"the binary log with number {number} is not in the repository")
    if not files:
        raise BackupError(f"{start.file}, from which the dump goes on, is not in the repository")


def _events(files: list[Path], start: Position, until: datetime | Position) -> Iterator[bytes]:
    stop = (
        f"--stop-position={until.offset}"
        if isinstance(until, Position)
        else f"--stop-datetime={until:%Y-%m-%d %H:%M:%S}"
    )
    command = ["mysqlbinlog", "--skip-gtids", f"--database={SCHEMA}", stop]
    command += [f"--start-position={start.offset}", *map(str, files)]
    return repository.printed(command, TZ="UTC")
