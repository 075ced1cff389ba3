"""A MySQL server in a container of its own, with the accounts of a private database."""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest

from loadtest.lab.database import DATABASE, GRANTS, Account
from loadtest.lab.ports import free_port
from tests.waiting import eventually

IMAGE = "TEST_DATABASE"  # names the image of MySQL that tests may use

needs_mysql = pytest.mark.skipif(
    IMAGE not in os.environ, reason=f"needs real MySQL: {IMAGE}=mysql:9.7"
)

START = 90.0  # seconds, for a first start on a busy machine


class MySqlContainer:
    """What :class:`loadtest.lab.database.PrivateDatabase` offers, on the image *name* names."""

    host = "127.0.0.1"
    is_mysql = True

    def __init__(
        self, image: str, secrets_directory: Path, like: MySqlContainer | None = None
    ) -> None:
        self.name = image
        self.port = free_port()
        self.container = f"poolsight-mysql-{self.port}"
        self._directory = secrets_directory
        self._passwords: dict[Account, str] = like._passwords if like else _new_passwords()
        for account, password in self._passwords.items():
            self._password_file(account).write_text(password)

    @classmethod
    @contextmanager
    def running(
        cls, image: str, *options: str, like: MySqlContainer | None = None
    ) -> Iterator[MySqlContainer]:
        """A server with *options*, and the passwords of another, that is removed at the end."""
        with tempfile.TemporaryDirectory() as directory:
            server = cls(image, Path(directory), like)
            root = secrets.token_urlsafe(24)
            try:
                server._run(root, options)
                yield server
            finally:
                docker("rm", "--force", "--volumes", server.container)

    def environment(self, account: Account = "app") -> dict[str, str]:
        """The application's settings for connecting as *account*."""
        return {
            "CLINIC_DB_HOST": self.host,
            "CLINIC_DB_PORT": str(self.port),
            "CLINIC_DB_NAME": DATABASE,
            "CLINIC_DB_USER": account,
            "CLINIC_DB_PASSWORD_FILE": str(self._password_file(account)),
        }

    def password(self, account: Account) -> str:
        """The password of *account*."""
        return self._passwords[account]

    def connect(self, account: Account = "app") -> Any:
        """A PyMySQL connection of its own."""
        return self._connect(account, self.password(account))

    def _run(self, root: str, options: tuple[str, ...]) -> None:
        environment = {"MYSQL_ROOT_PASSWORD": root, "MYSQL_DATABASE": DATABASE}
        names = [f"--env={name}" for name in environment]
        subprocess.run(
            ["docker", "run", "--detach", "--name", self.container, *names,
             f"--publish=127.0.0.1:{self.port}:3306", self.name,
             "--collation-server=utf8mb4_unicode_520_ci", "--default-time-zone=+00:00",
             *options],
            env={**os.environ, **environment}, check=True, capture_output=True,
        )  # fmt: skip
        # Over TCP, which the temporary server of the first start does not serve.
        assert eventually(lambda: self._answers(root), within=START), docker("logs", self.container)
        with self._connect("root", root) as connection, connection.cursor() as cursor:
            for account, grants in GRANTS.items():
                password = self._passwords[account]
                cursor.execute(f"CREATE USER {account}@'%' IDENTIFIED BY '{password}'")
                for grant in grants:
                    cursor.execute(f"GRANT {grant} TO {account}@'%'")
            cursor.execute("GRANT SELECT ON performance_schema.* TO migrator@'%'")

    def _answers(self, root: str) -> bool:
        try:
            self._connect("root", root).close()
        except pymysql.MySQLError:
            return False
        return True

    def _connect(self, user: str, password: str) -> Any:
        return pymysql.connect(
            host=self.host, port=self.port, user=user, password=password, database=DATABASE,
            connect_timeout=2, autocommit=True,
        )  # fmt: skip

    def _password_file(self, account: Account) -> Path:
        return self._directory / f"{account}-password"


def _new_passwords() -> dict[Account, str]:
    return {account: secrets.token_urlsafe(24) for account in GRANTS}


def docker(*arguments: str) -> str:
    """Run ``docker``; its output, whatever came of it."""
    found = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return found.stdout + found.stderr
