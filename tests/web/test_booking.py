"""Booking a slot on its page."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.clinic.models import Appointment
from app.clinic.paging import AnyRow
from tests.web.conftest import Visitor

Free = Callable[[int], list[AnyRow]]
Read = Callable[..., Any]


def bookings_of(read: Read, slot_id: int) -> int:
    query = select(func.count()).where(Appointment.booked_slot_id == slot_id)
    return int(read(lambda session: session.scalar(query)))


def test_booking_leads_to_its_confirmation(visitor: Visitor, free: Free) -> None:
    slot = free(1)[0]
    appointment = visitor.book(slot.id, patient=7, reason="  Two \r\n words ")
    page = visitor.open(f"/appointments/{appointment}")
    assert page.status_code == 200
    for text in ("Appointment booked", slot.clinician, "number 7", "Two words", str(appointment)):
        assert text in page.text


def test_the_patient_is_remembered(visitor: Visitor, free: Free) -> None:
    first, second = free(2)
    visitor.book(first.id, patient=9)
    assert 'value="9"' in visitor.open(f"/slots/{second.id}/book").text


def test_sending_the_form_twice_books_once(visitor: Visitor, free: Free, read: Read) -> None:
    slot = free(1)[0]
    first = visitor.book(slot.id)
    again = visitor.send(f"/slots/{slot.id}/book", patient=1)
    assert again.status_code == 303
    assert again.location == f"/appointments/{first}"
    assert bookings_of(read, slot.id) == 1


def test_sending_the_form_twice_at_once_books_once(app: Flask, free: Free, read: Read) -> None:
    slot = free(1)[0]
    impatient = Visitor(app.test_client())
    impatient.open(f"/slots/{slot.id}/book")
    cookie = impatient.client.get_cookie("clinic")
    assert cookie is not None

    def click(_: int) -> str:
        client = app.test_client()
        client.set_cookie("clinic", cookie.value)
        data = {**impatient.hidden, "patient": "1"}
        return str(client.post(f"/slots/{slot.id}/book", data=data).location)

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(click, range(4)))) == 1
    assert bookings_of(read, slot.id) == 1


def test_another_patient_in_a_form_sent_before_is_asked_again(
    visitor: Visitor, free: Free, read: Read
) -> None:
    slot = free(1)[0]
    visitor.book(slot.id, patient=1)
    other = visitor.send(f"/slots/{slot.id}/book", patient=2)
    assert other.status_code == 422
    assert "has booked an appointment before" in other.text
    # The page brings a new key, so now it is the slot that says no.
    assert visitor.send(f"/slots/{slot.id}/book", patient=2).status_code == 409
    assert bookings_of(read, slot.id) == 1


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "quote'\""])
def test_a_key_that_was_tampered_with_is_replaced(visitor: Visitor, free: Free, key: str) -> None:
    assert visitor.book(free(1)[0].id, key=key)


@pytest.mark.parametrize("number", ["", " ", "abc", "1.5", "0", "-1", "9" * 19, "9" * 5000])
def test_a_number_that_is_none_is_explained_and_kept(
    visitor: Visitor, free: Free, number: str
) -> None:
    path = f"/slots/{free(1)[0].id}/book"
    visitor.open(path)
    page = visitor.send(path, patient=number, reason="Ear <ache>")
    assert page.status_code == 422
    assert "<title>Error: Book an appointment" in page.text
    assert '<a href="#patient">Enter a patient number' in page.text
    assert 'aria-describedby="patient-hint patient-error"' in page.text
    assert f'value="{number}"' in page.text
    assert "Ear &lt;ache&gt;</textarea>" in page.text


def test_an_unknown_patient_is_explained(visitor: Visitor, free: Free) -> None:
    path = f"/slots/{free(1)[0].id}/book"
    visitor.open(path)
    page = visitor.send(path, patient=9999)
    assert page.status_code == 422
    assert '<a href="#patient">There is no patient 9999' in page.text


def test_a_reason_that_is_too_long_is_explained(visitor: Visitor, free: Free) -> None:
    path = f"/slots/{free(1)[0].id}/book"
    visitor.open(path)
    page = visitor.send(path, patient=1, reason="é" * 201)
    assert page.status_code == 422
    assert '<a href="#reason">Reason must be 200 characters or fewer' in page.text


def test_a_slot_taken_meanwhile_offers_others(app: Flask, visitor: Visitor, free: Free) -> None:
    slot = free(1)[0]
    visitor.open(f"/slots/{slot.id}/book")
    Visitor(app.test_client()).book(slot.id)
    page = visitor.send(f"/slots/{slot.id}/book", patient=2)
    assert page.status_code == 409
    assert "Nothing new has been booked" in page.text
    assert f"/slots?specialty={slot.specialty}" in page.text.replace("+", " ").replace("%20", " ")


def test_a_taken_slot_is_not_offered(visitor: Visitor, taken: int) -> None:
    page = visitor.open(f"/slots/{taken}/book")
    assert page.status_code == 409
    assert "<form" not in page.text


@pytest.mark.parametrize("number", ["99999", "9" * 30])
def test_an_unknown_slot_is_not_found(visitor: Visitor, number: str) -> None:
    visitor.open("/patient")
    assert visitor.open(f"/slots/{number}/book").status_code == 404
    assert visitor.send(f"/slots/{number}/book", patient=1).status_code == 404
