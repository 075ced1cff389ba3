"""Errors of statements and of the session: locks, deadlocks, limits, objects used too late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

from sqlalchemy import ForeignKey, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tests.errors import Server, asked, engine, reproduces, table
from tests.waiting import eventually

# MariaDB has no innodb_trx rows for sessions that wait before their first lock; both have this.
WAITING = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"


@reproduces("lock-wait")
def lock_wait(server: Server) -> None:
    with table(server) as name, engine(server) as one, one.begin() as holder, one.begin() as other:
        holder.execute(text(f"UPDATE {name} SET n = 1 WHERE id = 1"))
        other.execute(text("SET SESSION innodb_lock_wait_timeout = 1"))
        other.execute(text(f"UPDATE {name} SET n = 2 WHERE id = 1"))


@reproduces("deadlock")
def deadlock(server: Server) -> str:
    """Two transactions lock two rows in opposite order; the server ends one of them."""
    said: list[str] = []

    def swap(first: int, second: int, ready: list[int]) -> None:
        try:
            with one.begin() as connection:
                connection.execute(text(f"UPDATE {name} SET n = n + 1 WHERE id = {first}"))
                ready.append(first)
                eventually(lambda: len(ready) == 2)
                connection.execute(text(f"UPDATE {name} SET n = n + 1 WHERE id = {second}"))
        except OperationalError as error:
            said.append(f"{type(error).__module__}.{type(error).__qualname__}: {error}")

    with table(server) as name, engine(server) as one:
        ready: list[int] = []
        threads = [Thread(target=swap, args=(*order, ready)) for order in ((1, 2), (2, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return said[0]


@reproduces("statement-timeout", needs="mysql")
def statement_timeout(server: Server) -> None:
    with engine(server, "admin") as one, one.connect() as connection:
        connection.execute(text("SET SESSION max_execution_time = 100"))
        connection.execute(text(
            "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, "
            "information_schema.columns c"
        ))  # fmt: skip


@reproduces("duplicate-entry")
def duplicate_entry(server: Server) -> None:
    with table(server) as name, engine(server) as one, one.begin() as connection:
        connection.execute(text(f"INSERT INTO {name} (id) VALUES (1)"))


@reproduces("data-too-long")
def data_too_long(server: Server) -> None:
    with table(server, "id INT PRIMARY KEY, phone VARCHAR(5) NOT NULL DEFAULT ''") as name, \
            engine(server) as one, one.begin() as connection:  # fmt: skip
        connection.execute(text(f"UPDATE {name} SET phone = '0301234567'"))


@reproduces("incorrect-string")
def incorrect_string(server: Server) -> None:
    with table(server, "id INT PRIMARY KEY, name VARCHAR(20) CHARACTER SET utf8mb3") as name, \
            engine(server) as one, one.begin() as connection:  # fmt: skip
        connection.execute(text(f"UPDATE {name} SET name = :name"), {"name": "Zoë 🦷"})


@reproduces("trigger-needs-super", needs="mysql")
def trigger_needs_super(server: Server) -> None:
    trigger = "CREATE TRIGGER t BEFORE INSERT ON {} FOR EACH ROW SET NEW.n = 1"
    with (
        table(server) as name,
        _may_make_triggers(server),
        engine(server, "migrator") as one,
        one.begin() as connection,
    ):
        connection.execute(text(trigger.format(name)))


@contextmanager
def _may_make_triggers(server: Server) -> Iterator[None]:
    """Give the migrator the privilege, past GRANT, which the administrator may not."""

    def give(value: str) -> None:
        asked(server, f"UPDATE mysql.user SET Trigger_priv = '{value}' WHERE user = 'migrator'")
        asked(server, "FLUSH PRIVILEGES")

    give("Y")
    try:
        yield
    finally:
        give("N")


@reproduces("unsafe-for-the-binary-log", needs="mysql")
def unsafe_for_the_binary_log(server: Server) -> None:
    with table(server) as name, engine(server, "migrator") as one, one.begin() as connection:
        connection.execute(
            text(f"ALTER TABLE {name} ADD COLUMN token CHAR(36) NOT NULL DEFAULT (UUID())")
        )


class Base(DeclarativeBase):
    """Of the one error below."""


class Parent(Base):
    """Has children that are loaded when they are asked for."""

    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(primary_key=True)
    children: Mapped[list[Child]] = relationship()


class Child(Base):
    """Of a parent."""

    __tablename__ = "child"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("parent.id"))


@reproduces("detached-instance", needs="nothing")
def detached_instance() -> None:
    made = create_engine("sqlite://")
    Base.metadata.create_all(made)
    with Session(made) as session, session.begin():
        session.add(Parent(id=1))
    with Session(made) as session:
        parent = session.get_one(Parent, 1)
    with suppress(StopIteration):
        next(iter(parent.children))
