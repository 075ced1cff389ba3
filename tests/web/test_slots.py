"""Finding a free slot."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from app.clinic.paging import AnyRow
from tests.web.conftest import Visitor

Free = Callable[[int], list[AnyRow]]


def offered(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'href="/slots/(\d+)/book"', html)]


def test_the_root_leads_to_free_slots(visitor: Visitor) -> None:
    assert visitor.open("/").location == "/slots"


def test_free_slots_come_soonest_first(visitor: Visitor, free: Free) -> None:
    page = visitor.open("/slots")
    assert page.status_code == 200
    assert offered(page.text) == [slot.id for slot in free(20)]
    assert "UTC" in page.text


def test_the_next_page_goes_on_where_this_one_ends(visitor: Visitor, free: Free) -> None:
    page = visitor.open("/slots?specialty=Neurology")
    link = re.search(r'href="([^"]+)" rel="next"', page.text)
    assert link is not None
    following = visitor.open(unescape(link[1]))
    both = offered(page.text) + offered(following.text)
    expected = [slot.id for slot in free(400) if slot.specialty == "Neurology"]
    assert both == expected[: len(both)]
    assert len(both) > 20


def test_filter_by_clinician(visitor: Visitor, free: Free) -> None:
    page = visitor.open("/slots?clinician=3&specialty=&date=")
    expected = [slot.id for slot in free(400) if slot.clinician_id == 3]
    assert offered(page.text) == expected[:20]
    assert '<option selected value="3">' in page.text


def test_filter_by_day_shows_that_day_and_later(visitor: Visitor, free: Free) -> None:
    day = (datetime.now(UTC) + timedelta(days=2)).date()
    page = visitor.open(f"/slots?date={day}")
    expected = [slot.id for slot in free(400) if slot.starts_at.date() >= day]
    assert offered(page.text) == expected[:20]


def test_a_day_in_the_past_means_now(visitor: Visitor, free: Free) -> None:
    assert offered(visitor.open("/slots?date=0001-01-01").text) == [slot.id for slot in free(20)]


def test_nothing_found_says_what_to_do(visitor: Visitor) -> None:
    page = visitor.open("/slots?date=9999-12-31")
    assert page.status_code == 200
    assert "No free slots found" in page.text


def test_a_specialty_narrows_the_clinicians(visitor: Visitor) -> None:
    page = visitor.open("/slots?specialty=Neurology")
    assert "(Neurology)" in page.text
    assert "(Cardiology)" not in page.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("specialty=Alchemy", "specialty"),
        ("clinician=nobody", "clinician"),
        ("clinician=99999", "clinician"),
        ("date=31.12.2026", "date"),
        ("date=2026-02-30", "date"),
    ],
)
def test_a_filter_that_makes_no_sense_is_explained(
    visitor: Visitor, query: str, field: str
) -> None:
    page = visitor.open(f"/slots?{query}")
    assert page.status_code == 422
    assert "<title>Error: Free slots" in page.text
    assert f'<a href="#{field}">' in page.text
    assert f'id="{field}-error"' in page.text


def test_a_made_up_cursor_is_refused(visitor: Visitor) -> None:
    page = visitor.open("/slots?after=nonsense")
    assert page.status_code == 422
    assert "Go to free slots" in page.text
