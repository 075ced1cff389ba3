"""The MySQL server that runs here, and one that is started beside it to restore into."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from errors import BackupError

SCHEMA = "clinic"
DATA = Path("/var/lib/mysql")
SCRATCH = Path("/var/lib/mysql-recovery")
START_SECONDS = 300
LIVE = ("--user=backup", "--protocol=socket")
"""How the running server is reached: by this account, which the socket lets in without password."""
ROOT = ("--user=root", "--protocol=socket")


def ask(connection: tuple[str, ...], sql: str) -> list[list[str]]:
    """The rows that *sql* answers, as text; NULL is ``NULL``."""
    done = subprocess.run(
        ["mysql", *connection, "--batch", "--raw", "--skip-column-names"],
        input=sql, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BackupError(f"MySQL refused {sql.split(chr(10))[0]!r}: {done.stderr.strip()}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def server_id() -> str:
    """The running server's server_uuid: binary logs of another one do not continue its dumps."""
    return ask(LIVE, "SELECT @@server_uuid")[0][0]


def columns() -> dict[str, list[str]]:
    """The columns of every table of the clinic in the running server."""
    found: dict[str, list[str]] = {}
    for table, column in ask(
        LIVE,
        "SELECT table_name, column_name FROM information_schema.columns "
        f"JOIN information_schema.tables USING (table_schema, table_name) "
        f"WHERE table_schema = '{SCHEMA}' AND table_type = 'BASE TABLE' "
        "ORDER BY table_name, ordinal_position",
    ):
        found.setdefault(table, []).append(column)
    return found


def checksums(tables: dict[str, list[str]]) -> str:
    """Statements that answer with each table's name, number of rows and checksum.

    The order of rows does not matter; NULL and '' differ, as QUOTE tells them apart.
    """
    return "".join(
        f"SELECT '{table}', COUNT(*), BIT_XOR(crc), SUM(crc) FROM (SELECT CRC32(CONCAT_WS(',', "
        + ", ".join(f"QUOTE(`{name}`)" for name in names)
        + f")) AS crc FROM `{SCHEMA}`.`{table}`) AS row_checksums;\n"
        for table, names in tables.items()
    )


def load(connection: tuple[str, ...], sql: Iterable[bytes]) -> None:
    """Run *sql*, which comes in pieces of any size, on one connection."""
    with subprocess.Popen(
        ["mysql", *connection], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as client:
        assert client.stdin is not None  # noqa: S101  (narrows the type)
        with contextlib.suppress(BrokenPipeError):  # it says why below
            for piece in sql:
                client.stdin.write(piece)
        _, said = client.communicate()
        if client.returncode:
            raise BackupError(f"the copy could not be loaded: {said.decode().strip()}")


class Scratch:
    """A server of its own on an empty directory, reached by its socket only; removed afterwards."""

    def __init__(self) -> None:
        self._socket = SCRATCH / "mysql.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.connection = ("--no-defaults", "--user=root", f"--socket={self._socket}")

    def __enter__(self) -> Scratch:
        _remove()
        SCRATCH.mkdir(mode=0o700)
        shutil.chown(SCRATCH, "mysql", "mysql")
        self._enough_room()
        # Not by its own --user: AppArmor lets no mysqld give files away.
        common = ["mysqld", "--no-defaults", f"--datadir={SCRATCH / 'data'}"]
        with (SCRATCH / "log").open("wb") as log:
            made = subprocess.run(
                [*common, "--initialize-insecure"], stderr=log, check=False,
                user="mysql", group="mysql",
            )  # fmt: skip
            if made.returncode:
                raise self._did_not_start()
            self._process = subprocess.Popen(
                [
                    *common, f"--socket={self._socket}", "--skip-networking", "--mysqlx=OFF",
                    f"--pid-file={SCRATCH / 'pid'}", "--disable-log-bin",
                    "--performance-schema=OFF", "--innodb-flush-log-at-trx-commit=0",
                    "--innodb-doublewrite=OFF", "--innodb-buffer-pool-size=256M",
                    "--max-allowed-packet=64M", "--default-time-zone=+00:00",
                ],
                stderr=log, user="mysql", group="mysql",
            )  # fmt: skip
        self._await()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        _remove()

    def _await(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        ping = ["mysqladmin", *self.connection, "--silent", "ping"]
        assert self._process is not None  # noqa: S101  (narrows the type)
        while subprocess.run(ping, capture_output=True, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise self._did_not_start()
            time.sleep(0.2)  # it tells nobody when it is ready

    def _did_not_start(self) -> BackupError:
        said = (SCRATCH / "log").read_text()
        return BackupError(
            "the server to restore into did not start; "
            f"what AppArmor refuses is in `journalctl -k`:\n{said}"
        )

    def _enough_room(self) -> None:
        needed = sum(file.stat().st_size for file in DATA.rglob("*") if file.is_file())
        free = shutil.disk_usage(SCRATCH).free
        if free < needed:
            raise BackupError(
                f"{SCRATCH} has {free >> 20} MiB free, and the data take {needed >> 20}. "
                "Make room, or mount a disk there."
            )


def _remove() -> None:
    if not SCRATCH.exists():
        return
    # Not the folder itself where it is a disk's mount point.
    for path in SCRATCH.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not os.path.ismount(SCRATCH):
        SCRATCH.rmdir()
