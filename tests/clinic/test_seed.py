"""Sample data: the same for the same seed, and only where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Engine, text

from app.clinic import seed
from app.clinic.models import Base
from loadtest.lab.database import PrivateDatabase
from tests.clinic.schemas import schema
from tests.conftest import flask

DAY = date(2031, 1, 6)
PATIENTS = 300


@pytest.fixture
def empty(database: PrivateDatabase) -> Iterator[Engine]:
    """A schema with empty tables."""
    with schema(database) as engine:
        yield engine


def filled(engine: Engine, number: int, start: date = DAY) -> dict[str, int]:
    """The checksums of all tables after filling them."""
    with engine.connect() as connection:
        seed.fill(connection, PATIENTS, number, start, lambda _: None)
        sums = {
            # Not CHECKSUM TABLE: MariaDB's differed once for the same rows and a virtual column.
            name: hash(tuple(connection.execute(text(f"SELECT * FROM {name} ORDER BY id"))))
            for name in seed.sizes(1)
        }
        connection.rollback()
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        connection.commit()
    return sums


def test_the_same_seed_and_start_give_the_same_rows(empty: Engine) -> None:
    first = filled(empty, 1)
    assert all(first.values())
    assert filled(empty, 1) == first
    other = filled(empty, 2)
    assert {name for name in first if other[name] == first[name]} == set()
    assert filled(empty, 1, date(2031, 1, 7))["slot"] != first["slot"]


def test_there_is_as_much_as_it_says_and_it_agrees(empty: Engine) -> None:
    told: list[int] = []
    with empty.connect() as connection:
        seed.fill(connection, PATIENTS, 1, DAY, told.append)
        for table, size in seed.sizes(PATIENTS).items():
            assert connection.scalar(text(f"SELECT COUNT(*) FROM {table}")) == size
        wrong = text(
            "SELECT COUNT(*) FROM slot LEFT JOIN appointment ON booked_slot_id = slot.id "
            "WHERE is_free = (appointment.id IS NOT NULL)"
        )
        assert connection.scalar(wrong) == 0
    assert sum(told) == sum(seed.sizes(PATIENTS).values())


def test_what_has_data_is_left_alone(database: PrivateDatabase) -> None:
    refused = flask(database, "seed", check=False)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert "only empty" in refused.stderr
    kept = flask(database, "seed", "--if-empty")
    assert kept.returncode == 0
    assert "nothing to do" in kept.stdout
