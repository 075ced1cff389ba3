"""A private, throwaway MySQL or MariaDB server on a free loopback port."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from loadtest.lab import server_binary
from loadtest.lab.errors import LabError
from loadtest.lab.ports import free_port
from loadtest.lab.processes import Service, Workspace, indented, run_as

Account = Literal["app", "migrator", "admin"]

DATABASE = "clinic"
MIGRATE = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES"
GRANTS: dict[Account, tuple[str, ...]] = {
    "app": (f"SELECT, INSERT, UPDATE, DELETE ON {DATABASE}.*",),
    "migrator": (
        f"{MIGRATE} ON {DATABASE}.*",
        rf"{MIGRATE} ON `{DATABASE}\_plan`.*",  # where it tries before it changes
        "PROCESS ON *.*",  # to say who blocks it
    ),
    "admin": ("ALL PRIVILEGES ON *.*",),
}
START_TIMEOUT = 25.0  # seconds, on a busy machine; normally less than one

# Commits reach the operating system (flush=2), so that a killed server loses none; they are
# not forced to the disk, since nobody needs this database after a power cut.
OPTIONS = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=2",
    "--loose-innodb-flush-method=nosync",
    "--loose-mysqlx=OFF",
    "--default-time-zone=+00:00",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_520_ci",
)


class PrivateDatabase:
    """The server, its database ``clinic`` and its accounts ``app``, ``migrator`` and ``admin``.

    Use ``running()``. Everything lives in ``directory``, which is removed with the server, also
    when this process is killed. ``is_mysql`` is false for MariaDB.
    """

    host = "127.0.0.1"

    def __init__(self) -> None:
        self._binary = server_binary.find_or_install()
        version = server_binary.output(self._binary, "--version")
        self.is_mysql = "MariaDB" not in version
        self.name = server_binary.product(version)
        self.port = free_port()
        self._service: Service | None = None
        # The server refuses root, and it should: only its own files belong to its account.
        self._user = _server_account() if os.geteuid() == 0 else None
        self._workspace = Workspace("poolsight-db-")
        self.directory = self._workspace.directory
        self._passwords = {account: secrets.token_urlsafe(24) for account in GRANTS}

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator["PrivateDatabase"]:
        """Create, start, and at the end remove a server.

        Raises LabError when no server binary can be had or the server does not start.
        """
        database = cls()
        try:
            database.initialise()
            database.start()
            yield database
        finally:
            database.close()

    def initialise(self) -> None:
        """Create the data directory, the accounts and their password files (mode 0600)."""
        self.directory.chmod(0o711)
        for name in ("data", "tmp"):
            path = self.directory / name
            path.mkdir(mode=0o700)
            if self._user:
                shutil.chown(path, self._user)
        (self.directory / "secrets").mkdir(mode=0o700)
        for account, password in self._passwords.items():
            path = self._password_file(account)
            path.touch(mode=0o600)
            path.write_text(password)
        self._bootstrap()

    def environment(self, account: Account = "app") -> dict[str, str]:
        """Return the application's settings for connecting as ``account``."""
        return {
            "CLINIC_DB_HOST": self.host,
            "CLINIC_DB_PORT": str(self.port),
            "CLINIC_DB_NAME": DATABASE,
            "CLINIC_DB_USER": account,
            "CLINIC_DB_PASSWORD_FILE": str(self._password_file(account)),
        }

    def start(self) -> None:
        """Start the server on the same port and data, and wait until an account can log in."""
        command = [*self._command(), f"--port={self.port}"]
        log = self.directory / "server.log"
        self._service = Service(self._workspace, command, log=log, user=self._user)
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if not self._service.alive or time.monotonic() > deadline:
                raise LabError(
                    f"{self._binary} did not start. The end of its log:\n"
                    + self._service.last_lines()
                )
            time.sleep(0.02)

    def stop(self) -> None:
        """Shut the server down in order; ``start()`` brings it back with its data."""
        if self._service:
            self._service.stop(grace=15)

    def kill(self) -> None:
        """Kill the server as a crash would; ``start()`` brings it back with every commit."""
        if self._service:
            self._service.kill()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Have the server answer nothing meanwhile, while its sockets stay open."""
        if not self._service:
            raise LabError("The database server does not run, so it cannot be frozen.")
        process = self._service.process
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Remove the server and everything it wrote."""
        self.kill()
        self._workspace.close()

    def connect(self, account: Account = "app") -> Any:
        """Return a PyMySQL connection of its own; raise pymysql.MySQLError where there is none."""
        import pymysql

        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=account,
            password=self._passwords[account],
            database=DATABASE,
            connect_timeout=2,
            autocommit=True,
        )

    def _password_file(self, account: Account) -> Path:
        return self.directory / "secrets" / f"{account}-password"

    def _command(self) -> list[str]:
        data, tmp = self.directory / "data", self.directory / "tmp"
        return [
            str(self._binary),
            "--no-defaults",
            *OPTIONS,
            f"--datadir={data}",
            f"--tmpdir={tmp}",
            f"--secure-file-priv={tmp}",
            f"--socket={tmp / 'server.sock'}",
            f"--pid-file={tmp / 'server.pid'}",
        ]

    def _bootstrap(self) -> None:
        sql = self.directory / "tmp" / "accounts.sql"
        statements = "\n".join(self._statements()) + "\n"
        sql.write_text(
            statements if self.is_mysql else server_binary.system_tables(self._binary) + statements
        )
        sql.chmod(0o600)
        if self._user:
            shutil.chown(sql, self._user)
        how = ["--initialize-insecure", f"--init-file={sql}"] if self.is_mysql else ["--bootstrap"]
        with sql.open("rb") as standard_input:
            self._run_once([*self._command(), *how], standard_input.fileno())
        sql.unlink()

    def _statements(self) -> Iterator[str]:
        """Yield one statement a line, as both servers want them at this stage."""
        if not self.is_mysql:
            yield "DELETE FROM mysql.global_priv WHERE User IN ('', 'root');"
            yield "FLUSH PRIVILEGES;"
        yield f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;"
        for account, grants in GRANTS.items():
            yield f"CREATE USER {account}@'%' IDENTIFIED BY '{self._passwords[account]}';"
            yield from (f"GRANT {grant} TO {account}@'%';" for grant in grants)
        if self.is_mysql:
            yield "GRANT SELECT ON performance_schema.* TO migrator@'%';"
            yield f"ALTER USER root@localhost IDENTIFIED BY '{secrets.token_urlsafe(24)}';"

    def _run_once(self, command: list[str], standard_input: int) -> None:
        """Run the server's own initialisation to its end."""
        done = subprocess.run(  # noqa: S603
            command,
            stdin=standard_input,
            capture_output=True,
            text=True,
            check=False,
            **run_as(self._user),
        )
        if done.returncode:
            tail = indented(done.stderr.splitlines())
            raise LabError(f"{self._binary} could not create its data directory:\n{tail}")

    def _answers(self) -> bool:
        import pymysql

        try:
            self.connect().close()
        except pymysql.MySQLError:
            return False
        return True


def _server_account() -> str:
    """Return the unprivileged account for a server started by root."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "mysql" if "mysql" in names else "nobody"
