"""The errors of docs/errors.md, really raised: ``make reproduce ERROR=NAME``.

A reproduction is a function that fails as people see it: the exception that it raises, or the text
that it returns, is what the page quotes. A test compares the two for every error of the page.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine

from loadtest.lab.database import Account, PrivateDatabase
from tests.mysql import MySqlContainer

Server = PrivateDatabase | MySqlContainer


@dataclass(frozen=True)
class Reproduction:
    """How an error is raised, and what it needs: `any` server, `mysql`, `docker`, or `nothing`."""

    name: str
    needs: str
    function: Callable[..., Any]

    def run(self, server: Server | None) -> str:
        """Raise it, and return what it says; raise AssertionError when nothing went wrong."""
        arguments = () if self.needs in ("nothing", "docker") else (server,)
        try:
            said = self.function(*arguments)
        except Exception as error:
            return f"{type(error).__module__}.{type(error).__qualname__}: {error}"
        assert said, f"{self.name} was not raised"
        return str(said)


REPRODUCTIONS: dict[str, Reproduction] = {}


def reproduces(name: str, needs: str = "any") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the reproduction of the error that docs/errors.md calls *name*."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        REPRODUCTIONS[name] = Reproduction(name, needs, function)
        return function

    return register


@contextmanager
def server_for(needs: str) -> Iterator[Server | None]:
    """The server that a reproduction needs; TEST_DATABASE names an image of MySQL."""
    image = os.environ.get("TEST_DATABASE") or ("mysql:9.7" if needs == "mysql" else None)
    if needs in ("nothing", "docker"):
        yield None
    elif image:
        with MySqlContainer.running(image) as container:
            yield container
    else:
        with PrivateDatabase.running() as private:
            yield private


def password(server: Server, account: Account = "app") -> str:
    """The password of an account."""
    return Path(server.environment(account)["CLINIC_DB_PASSWORD_FILE"]).read_text().strip()


def url(server: Server, account: Account = "app", **other: Any) -> URL:
    """Where SQLAlchemy connects to."""
    parts: dict[str, Any] = {
        "username": account,
        "password": password(server, account),
        "host": server.host,
        "port": server.port,
        "database": "clinic",
    } | other
    return URL.create("mysql+pymysql", **parts)


@contextmanager
def engine(server: Server, account: Account = "app", **options: Any) -> Iterator[Engine]:
    """An engine as SQLAlchemy makes it, without this project's pool."""
    made = create_engine(url(server, account), **options)
    try:
        yield made
    finally:
        made.dispose()


def asked(server: Server, statement: str) -> list[tuple[Any, ...]]:
    """All rows of a statement of the administrator's."""
    with server.connect("admin") as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@contextmanager
def table(
    server: Server, definition: str = "id INT PRIMARY KEY, n INT NOT NULL DEFAULT 0"
) -> Iterator[str]:
    """A table of two rows, `scratch`, which is dropped at the end."""
    asked(server, "DROP TABLE IF EXISTS scratch")
    asked(server, f"CREATE TABLE scratch ({definition}) ENGINE=InnoDB")
    asked(server, "INSERT INTO scratch (id) VALUES (1), (2)")
    try:
        yield "scratch"
    finally:
        asked(server, "DROP TABLE scratch")
