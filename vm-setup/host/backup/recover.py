"""Point-in-time recovery: the clinic as it was at a second."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime

import archive
import repository
from errors import BackupError
from restore import restore
from server import ROOT, SCHEMA, Scratch, ask, load

BESIDE = f"{SCHEMA}_recovered"
SERVICES = ("nginx", "app")  # they stop while the schema is replaced


def run(until: datetime, *, in_place: bool) -> None:
    """Recover to *until*: beside what runs, as clinic_recovered, or instead of it.

    Instead of it: what runs is stored as a dump before, and the recovered as one afterwards.
    """
    began = time.monotonic()
    archive.binlogs()
    with Scratch() as scratch:
        restored = restore(scratch, until)
        recovered = repository.printed(archive.mysqldump(scratch.connection))
        if in_place:
            _replace(recovered)
        else:
            _fill(BESIDE, recovered)
    print(
        f"{'What runs' if in_place else f'The schema {BESIDE}'} is the clinic as it was at "
        f"{until:%Y-%m-%d %H:%M:%S} UTC: the dump of {restored.dump.time:%Y-%m-%d %H:%M:%S} and "
        f"{len(restored.binlogs)} binary logs. It took {time.monotonic() - began:.0f} s."
    )
    if in_place:
        archive.dump()  # the binary logs of before do not lead here


def _replace(recovered: Iterator[bytes]) -> None:
    if ask(ROOT, f"SHOW DATABASES LIKE '{SCHEMA}'"):
        archive.dump()
    _compose("stop", *SERVICES)
    _fill(SCHEMA, recovered)
    _compose("up", "--detach", "--wait", "--no-deps", *reversed(SERVICES))


def _fill(schema: str, recovered: Iterator[bytes]) -> None:
    ask(
        ROOT,
        f"DROP DATABASE IF EXISTS {schema}; "
        f"CREATE DATABASE {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci",
    )
    load((*ROOT, schema), recovered)


def _compose(*arguments: str) -> None:
    done = subprocess.run(
        ["docker", "compose", *arguments], cwd=os.environ["HOST_PROJECT"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BackupError(f"docker compose {arguments[0]}: {done.stderr.strip()}")
