"""A patient's appointments: reading, moving, cancelling."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Flask

from app.clinic import booking, catalogue
from app.clinic.paging import AnyRow
from tests.clinic.offers import begin
from tests.web.conftest import Visitor

Free = Callable[[int], list[AnyRow]]
Read = Callable[..., Any]


def test_without_a_patient_one_is_asked_for(visitor: Visitor) -> None:
    assert visitor.open("/appointments").location == "/patient"


def test_the_chosen_patients_appointments_are_listed(visitor: Visitor, read: Read) -> None:
    patient = read(lambda session: booking.get(session, 1)).patient_id
    visitor.open("/patient")
    page = visitor.send("/patient", follow=True, patient=patient)
    assert f"patient number {patient}" in page.text
    assert "Reference 1<" in page.text


def test_an_unknown_patient_is_explained(visitor: Visitor) -> None:
    visitor.open("/patient")
    page = visitor.send("/patient", patient=9999)
    assert page.status_code == 422
    assert '<a href="#patient">There is no patient 9999' in page.text


def test_a_remembered_patient_who_is_gone_is_forgotten(visitor: Visitor) -> None:
    with visitor.client.session_transaction() as cookie:
        cookie["patient"] = 9999
    assert visitor.open("/appointments").location == "/patient"
    with visitor.client.session_transaction() as cookie:
        assert "patient" not in cookie


def test_long_lists_have_pages(visitor: Visitor, free: Free) -> None:
    booked = [visitor.book(slot.id, patient=200) for slot in free(11)]
    page = visitor.open("/appointments")
    link = re.search(r'href="([^"]+)" rel="next"', page.text)
    assert link is not None
    assert f"Reference {booked[-1]}<" in visitor.open(link[1]).text


def test_cancelling_asks_first_and_frees_the_slot(visitor: Visitor, free: Free, read: Read) -> None:
    slot = free(1)[0]
    appointment = visitor.book(slot.id)
    path = f"/appointments/{appointment}/cancel"
    assert "Cancel this appointment?" in visitor.open(path).text
    page = visitor.send(path, follow=True)
    assert "is cancelled." in page.text
    assert read(lambda session: catalogue.slot(session, slot.id)).is_free
    assert visitor.send(path).status_code == 303
    assert "Appointment cancelled" in visitor.open(f"/appointments/{appointment}").text


def test_a_cancelled_appointment_offers_no_change(visitor: Visitor, free: Free) -> None:
    first, second = free(2)
    appointment = visitor.book(first.id)
    visitor.send(f"/appointments/{appointment}/cancel")
    for path in ("cancel", "move", f"move/{second.id}"):
        page = visitor.open(f"/appointments/{appointment}/{path}")
        assert page.status_code == 409
        assert "is cancelled" in page.text
    assert visitor.send(f"/appointments/{appointment}/move/{second.id}").status_code == 409


def test_an_appointment_that_has_begun_offers_no_change(
    app: Flask, visitor: Visitor, free: Free, read: Read
) -> None:
    first, second = free(2)
    appointment = visitor.book(first.id)
    visitor.open(f"/appointments/{appointment}/cancel")
    begin(app, first.id)
    for path in ("cancel", "move", f"move/{second.id}"):
        page = visitor.open(f"/appointments/{appointment}/{path}")
        assert page.status_code == 409
        assert "has begun" in page.text
    for path in ("cancel", f"move/{second.id}"):
        page = visitor.send(f"/appointments/{appointment}/{path}")
        assert page.status_code == 409
        assert "has begun, so it cannot be changed any more" in page.text
    assert read(lambda session: booking.get(session, appointment)).cancelled_at is None


def test_moving_starts_with_the_same_clinician(visitor: Visitor, free: Free) -> None:
    slot = free(1)[0]
    page = visitor.open(f"/appointments/{visitor.book(slot.id)}/move")
    assert f'<option selected value="{slot.clinician_id}">' in page.text
    assert f'<option selected value="{slot.specialty}">' in page.text


def test_moving_asks_first_and_swaps_the_slots(visitor: Visitor, free: Free, read: Read) -> None:
    old, new = free(2)
    appointment = visitor.book(old.id)
    path = f"/appointments/{appointment}/move/{new.id}"
    assert "Check the new time" in visitor.open(path).text
    page = visitor.send(path, follow=True)
    assert "The appointment is now on" in page.text
    assert read(lambda session: booking.get(session, appointment)).slot_id == new.id
    assert read(lambda session: catalogue.slot(session, old.id)).is_free
    assert visitor.send(path).status_code == 303


def test_moving_to_a_taken_slot_keeps_the_old_one(
    app: Flask, visitor: Visitor, free: Free, read: Read
) -> None:
    old, new = free(2)
    appointment = visitor.book(old.id)
    path = f"/appointments/{appointment}/move/{new.id}"
    visitor.open(path)
    Visitor(app.test_client()).book(new.id)
    page = visitor.send(path)
    assert page.status_code == 409
    assert "You still have your appointment" in page.text
    assert f'href="/appointments/{appointment}/move"' in page.text
    assert visitor.open(path).status_code == 409
    assert read(lambda session: booking.get(session, appointment)).slot_id == old.id


def test_unknown_appointments_are_not_found(visitor: Visitor) -> None:
    for path in ("", "/cancel", "/move", "/move/1"):
        assert visitor.open(f"/appointments/99999{path}").status_code == 404
