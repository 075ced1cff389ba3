"""The page on which a slot is booked."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.clinic import booking, catalogue
from app.clinic.errors import Conflict, KeyReused, NotFound
from app.clinic.idempotency import once
from app.clinic.paging import AnyRow
from app.database import transaction
from app.web.forms import BookingForm, PatientForm
from app.web.pages import Unavailable, blueprint, remember_patient, remembered_patient

SENT_BEFORE = "This form has booked an appointment before. Check your answers and send it again"


@blueprint.get("/slots/<int:slot_id>/book")
def offer(slot_id: int) -> str:
    """Ask who comes, and why."""
    slot = transaction(lambda session: known_slot(session, slot_id))
    if not slot.is_free or slot.starts_at <= datetime.now(UTC):
        raise taken(slot)
    return render_template("book.html", form=BookingForm(patient=remembered_patient()), slot=slot)


@blueprint.post("/slots/<int:slot_id>/book")
def book(slot_id: int) -> Response | tuple[str, int]:
    """Book the slot, once however often the form is sent."""
    form = BookingForm()
    slot, appointment_id = transaction(lambda session: _book(session, slot_id, form))
    if appointment_id is None:
        return render_template("book.html", form=form, slot=slot), 422
    remember_patient(form.patient.data)
    return redirect(url_for("web.appointment", appointment_id=appointment_id), 303)


def known_slot(session: Session, slot_id: int) -> AnyRow:
    """One slot with its clinician.

    Raises:
        NotFound: there is no such slot.
    """
    slot = catalogue.slot(session, slot_id)
    if slot is None:
        raise NotFound("slot", slot_id)
    return slot


def known_patient(session: Session, form: PatientForm) -> bool:
    """Whether there is the patient that *form* names; otherwise the form says that there is not."""
    if catalogue.patient(session, form.patient.data) is not None:
        return True
    form.refuse_patient(f"There is no patient {form.patient.data}. Enter another number")
    return False


def taken(slot: AnyRow) -> Unavailable:
    """The answer to who comes too late for *slot*: others like it."""
    others = url_for("web.free_slots", specialty=slot.specialty, date=slot.starts_at.date())
    return Unavailable(
        f"The time with {slot.clinician} is already taken, or has begun. "
        "Nothing new has been booked.",
        f"Choose another {slot.specialty} time",
        others,
    )


def _book(session: Session, slot_id: int, form: BookingForm) -> tuple[AnyRow, int | None]:
    slot = known_slot(session, slot_id)
    if not form.validate() or not known_patient(session, form):
        return slot, None
    wanted = {"slot_id": slot_id, "patient_id": form.patient.data, "reason": form.reason.data}
    if form.telehealth.data:  # only then, so that a form sent before there was the choice is known
        wanted["telehealth"] = True
    try:
        answer = once(
            session, form.key.data, wanted, lambda: {"id": booking.book(session, **wanted).id}
        )
    except KeyReused:
        form.renew_key()
        form.refuse_patient(SENT_BEFORE)
        return slot, None
    except Conflict as conflict:
        raise taken(slot) from conflict
    return slot, answer["id"]
