"""The waiting list, the telephone number and the video call, on the pages."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Flask

from app.clinic.paging import AnyRow
from tests.clinic.offers import Offer, offer, patient
from tests.web.conftest import Visitor

Free = Callable[[int], list[AnyRow]]


def booked_out(app: Flask) -> Offer:
    return offer(app, 0, starts=[])


def join(visitor: Visitor, specialty: str, who: int, follow: bool = True) -> str:
    visitor.open(f"/waitlist?specialty={specialty}")
    return visitor.send("/waitlist", follow=follow, specialty=specialty, patient=who).text


def test_where_nothing_is_free_one_can_wait(app: Flask, visitor: Visitor) -> None:
    full, who = booked_out(app), patient(app)
    page = visitor.open(f"/slots?specialty={full.specialty}")
    link = re.search(r'href="(/waitlist[^"]*)"', page.text)
    assert link
    form = visitor.open(link[1])
    assert f'selected value="{full.specialty}"' in form.text
    text = join(visitor, full.specialty, who)
    assert f"You are on the waiting list for {full.specialty}." in text
    leave = re.search(r'action="(/waitlist/\d+/leave)"', text)
    assert leave
    text = visitor.send(leave[1], follow=True).text
    assert "no longer on the waiting list" in text
    assert leave[1] not in text
    assert visitor.send(leave[1]).status_code == 303, "again changes nothing"


def test_twice_is_explained_at_the_specialty(app: Flask, visitor: Visitor) -> None:
    full, who = booked_out(app), patient(app)
    join(visitor, full.specialty, who)
    text = join(visitor, full.specialty, who)
    assert '<a href="#specialty">The patient is on the waiting list' in text


def test_a_specialty_must_be_chosen(app: Flask, visitor: Visitor) -> None:
    assert '<a href="#specialty">Choose a specialty' in join(visitor, "", patient(app))
    assert "from the list" in join(visitor, "Alchemy", patient(app))


def test_the_number_is_changed(app: Flask, visitor: Visitor) -> None:
    assert visitor.open("/contact").location == "/patient"
    visitor.open("/patient")
    visitor.send("/patient", patient=patient(app))
    assert "not given" in visitor.open("/appointments").text
    visitor.open("/contact")
    page = visitor.send("/contact", follow=True, phone=" +49 30  1234567 ")
    assert "+49301234567" in page.text.replace(" ", "")
    visitor.open("/contact")
    page = visitor.send("/contact", phone="1" * 33)
    assert page.status_code == 422
    assert '<a href="#phone">Telephone number' in page.text
    assert "You have no number here." in visitor.send("/contact", follow=True, phone="").text


def test_an_appointment_by_video_says_so(visitor: Visitor, free: Free) -> None:
    slot, other = free(2)
    seen = visitor.open(f"/appointments/{visitor.book(slot.id, telehealth='y')}").text
    assert "By video call" in seen
    assert "By video call" not in visitor.open(f"/appointments/{visitor.book(other.id)}").text
