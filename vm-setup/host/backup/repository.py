"""The restic repository: encrypted, deduplicated, in object storage or a folder.

Which one, and the file of its password, are in the environment (``RESTIC_REPOSITORY``,
``RESTIC_PASSWORD_FILE``), which /etc/poolsight/backup.env holds.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from errors import BackupError


@dataclass(frozen=True)
class Snapshot:
    """One of the repository.

    Attributes:
        time: when it was begun.
        server: server_uuid of where it comes from.
    """

    id: str
    time: datetime
    server: str


def run(*arguments: str) -> str:
    """Run restic; return what it says."""
    done = subprocess.run(["restic", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"restic {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def snapshots(kind: str) -> list[Snapshot]:
    """Those with the tag *kind*, the oldest first."""
    found: list[dict[str, Any]] = json.loads(run("snapshots", "--json", "--tag", kind)) or []
    return sorted(
        (
            Snapshot(
                one["id"],
                datetime.fromisoformat(one["time"]),
                next((tag for tag in one["tags"] if tag != kind), ""),
            )
            for one in found
        ),
        key=lambda one: one.time,
    )


def store(command: list[str], name: str, *tags: str) -> None:
    """Store what *command* prints as the file *name*; nothing is stored when it fails."""
    keep = ["restic", "backup", "--quiet", "--stdin", "--stdin-filename", name]
    restic = subprocess.Popen(
        [*keep, *_tags(tags)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert restic.stdin  # noqa: S101  (narrows the type)
    try:
        with suppress(BrokenPipeError):  # it says why below
            for piece in printed(command):
                restic.stdin.write(piece)
    except BaseException:
        restic.kill()
        restic.wait()
        raise
    # Only now does restic meet the end of its input, and so a snapshot.
    _, said = restic.communicate()
    if restic.returncode:
        raise BackupError(f"restic backup: {said.decode().strip()}")


def store_files(paths: list[Path], *tags: str) -> None:
    """Store *paths* as they are."""
    run("backup", "--quiet", *_tags(tags), *map(str, paths))


def read(snapshot: Snapshot, name: str) -> Iterator[bytes]:
    """Read the file *name* of a snapshot, in pieces."""
    yield from printed(["restic", "dump", "--quiet", snapshot.id, name])


def printed(command: list[str], **environment: str) -> Iterator[bytes]:
    """What *command* prints, in pieces.

    Raises:
        BackupError: it failed; after the last piece, which whoever takes them must therefore await.
    """
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment}
    ) as process:
        assert process.stdout is not None  # noqa: S101  (narrows the types)
        assert process.stderr is not None  # noqa: S101
        while piece := process.stdout.read(1 << 20):
            yield piece
        if process.wait():
            raise BackupError(f"{command[0]} failed: {process.stderr.read().decode().strip()}")


def restore(snapshot: Snapshot, target: Path) -> None:
    """Write a snapshot's files below *target*, with their paths."""
    run("restore", "--quiet", snapshot.id, "--target", str(target))


def _tags(tags: tuple[str, ...]) -> list[str]:
    return [word for tag in tags for word in ("--tag", tag)]
