"""What is physically true, counted without the instrumentation: a DBAPI that keeps account."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import Pool


class Recording:
    """Opens real connections and knows which are open.

    Attributes:
        opened, refused: attempts that succeeded or failed.
        before: called before each attempt; what it raises is why the attempt fails.
    """

    def __init__(self) -> None:
        self.opened = 0
        self.refused = 0
        self.before: Callable[[], None] = lambda: None
        self._alive: WeakSet[_Connection] = WeakSet()

    def connect(self) -> sqlite3.Connection:
        """Open a connection, as a DBAPI's ``connect`` does."""
        try:
            self.before()
        except BaseException:
            self.refused += 1
            raise
        connection = _Connection(":memory:", check_same_thread=False)
        self.opened += 1
        self._alive.add(connection)
        return connection

    @property
    def open(self) -> int:
        """How many connections are open: neither closed nor garbage."""
        return sum(connection.is_open for connection in list(self._alive))

    def refuse(self) -> None:
        """Let all attempts fail from now on."""

        def away() -> None:
            raise sqlite3.OperationalError("away")

        self.before = away

    def accept(self) -> None:
        """Let attempts succeed again."""
        self.before = lambda: None

    def engine(self, poolclass: type[Pool], **options: Any) -> Engine:
        """An engine with these connections; pool 2+1 and a wait of 0.3 s where nothing is said."""
        defaults = {"pool_size": 2, "max_overflow": 1, "pool_timeout": 0.3}
        return create_engine(
            "sqlite://", creator=self.connect, poolclass=poolclass, **(defaults | options)
        )


class _Connection(sqlite3.Connection):
    is_open = True

    def close(self) -> None:
        self.is_open = False
        super().close()


def only(pool: str, directory: Path, view: Path) -> Path:
    """In *view*, links to the files of *directory* that concern *pool*; all others cost time."""
    for path in [*directory.glob(f"{quote(pool, safe='')}.*.cells"), *directory.glob("*.lock")]:
        link = view / path.name
        if not link.is_symlink():
            link.symlink_to(path)
    return view
