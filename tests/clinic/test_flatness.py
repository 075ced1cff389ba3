"""A page costs the same however deep it is, and however much is booked before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.clinic import booking, catalogue, seed
from app.clinic.paging import Page
from loadtest.lab.database import PrivateDatabase
from tests.clinic.offers import reads
from tests.clinic.schemas import schema

PATIENTS, LIMIT = 8000, 20
START = date.today() + timedelta(days=1)
NOW = datetime.now(UTC)
# For each row of a page its index entry, the row and its clinician; and where the page begins.
MOST_READS = 4 * (LIMIT + 1)


@pytest.fixture(scope="module")
def large(database: PrivateDatabase) -> Iterator[Engine]:
    """24 000 slots, 32 at each time; nine of ten of the first days are booked.

    The server's statistics are not refreshed: no plan may depend on them.
    """
    with schema(database) as engine:
        with engine.connect() as connection:
            seed.fill(connection, PATIENTS, 1, START, lambda _: None)
            days = {"until": START + timedelta(days=20)}
            early = text("UPDATE slot SET is_free = 0 WHERE starts_at < :until AND id % 10")
            with connection.begin():
                connection.execute(early, days)
        yield engine


@pytest.fixture
def session(large: Engine) -> Iterator[Session]:
    with Session(large) as session:
        yield session


def cost(session: Session, after: str | None, **filters: Any) -> int:
    """How many rows and index entries one page of free slots reads."""
    before = reads(session)
    page = catalogue.free_slots(session, LIMIT, NOW, after=after, **filters)
    assert len(page.items) == LIMIT
    return reads(session) - before


def beyond(session: Session, rows: int, **filters: Any) -> Page:
    return catalogue.free_slots(session, rows, NOW, **filters)


@pytest.mark.parametrize(
    ("filters", "free"),
    [({}, 10_000), ({"specialty": "Neurology"}, 1_200), ({"clinician_id": 7}, 280)],
    ids=["all", "specialty", "clinician"],
)
def test_deep_pages_of_free_slots(session: Session, filters: dict[str, Any], free: int) -> None:
    costs = [cost(session, None, **filters)]
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        cursor = beyond(session, int(free * share), **filters).next
        assert cursor
        costs.append(cost(session, cursor, **filters))
    assert max(costs) <= MOST_READS, costs


def test_pages_that_begin_later(session: Session) -> None:
    for days in (10, 25, 40):
        before = reads(session)
        page = catalogue.free_slots(session, LIMIT, NOW + timedelta(days=days))
        assert len(page.items) == LIMIT
        assert reads(session) - before <= MOST_READS


def test_a_specialty_that_nobody_has(session: Session) -> None:
    before = reads(session)
    assert catalogue.free_slots(session, LIMIT, NOW, specialty="Alchemy").items == []
    assert reads(session) - before <= MOST_READS


def clinicians(session: Session, after: str | None) -> Page:
    return catalogue.clinicians(session, 3, after, "Neurology")


def patients(session: Session, after: str | None) -> Page:
    return catalogue.patients(session, LIMIT, after)


def appointments(session: Session, after: str | None) -> Page:
    return booking.of_patient(session, 1, LIMIT, after)


@pytest.mark.parametrize("work", [clinicians, patients, appointments])
def test_other_lists(session: Session, work: Callable[[Session, str | None], Page]) -> None:
    page = work(session, None)
    before = reads(session)
    work(session, page.next)
    assert reads(session) - before <= MOST_READS
