"""The pages on which an appointment is moved or cancelled. Each change is asked for first."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from app.clinic import booking
from app.clinic.errors import Conflict
from app.clinic.paging import AnyRow, Page
from app.database import transaction
from app.web.appointments import with_patient
from app.web.booking import known_slot
from app.web.formats import moment
from app.web.forms import SlotFilter
from app.web.pages import Unavailable, blueprint, can_change, remember_patient
from app.web.slots import by_day, find, next_url, status


@blueprint.get("/appointments/<int:appointment_id>/cancel")
def ask_to_cancel(appointment_id: int) -> str:
    """Ask whether to cancel."""
    found, who = transaction(lambda session: _changeable(session, appointment_id))
    return render_template("cancel.html", appointment=found, patient=who)


@blueprint.post("/appointments/<int:appointment_id>/cancel")
def cancel(appointment_id: int) -> Response:
    """Cancel; again changes nothing."""

    def work(session: Session) -> AnyRow:
        try:
            return booking.cancel(session, appointment_id)
        except Conflict:
            _changeable(session, appointment_id)
            raise

    changed = transaction(work)
    return _done(changed, f"The appointment on {moment(changed.starts_at)} is cancelled.")


@blueprint.get("/appointments/<int:appointment_id>/move")
def reschedule(appointment_id: int) -> tuple[str, int]:
    """List free slots to move to: at first the same clinician's."""

    def work(session: Session) -> tuple[AnyRow, SlotFilter, Page]:
        found, _ = _changeable(session, appointment_id)
        form = SlotFilter(request.args or _like(found))
        return found, form, find(session, form)

    found, form, page = transaction(work)
    return render_template(
        "move.html",
        appointment=found,
        form=form,
        days=by_day(page.items),
        next_url=next_url(form, page),
    ), status(form)


@blueprint.get("/appointments/<int:appointment_id>/move/<int:slot_id>")
def ask_to_move(appointment_id: int, slot_id: int) -> str:
    """Ask whether to move to this slot."""

    def work(session: Session) -> tuple[AnyRow, AnyRow]:
        found, _ = _changeable(session, appointment_id)
        return found, known_slot(session, slot_id)

    found, slot = transaction(work)
    if not slot.is_free:
        raise _taken(appointment_id)
    return render_template("check_move.html", appointment=found, slot=slot)


@blueprint.post("/appointments/<int:appointment_id>/move/<int:slot_id>")
def move(appointment_id: int, slot_id: int) -> Response:
    """Move to this slot; again changes nothing."""

    def work(session: Session) -> AnyRow:
        try:
            return booking.reschedule(session, appointment_id, slot_id)
        except Conflict as conflict:
            _changeable(session, appointment_id)
            raise _taken(appointment_id) from conflict

    changed = transaction(work)
    return _done(changed, f"The appointment is now on {moment(changed.starts_at)}.")


def _changeable(session: Session, appointment_id: int) -> tuple[AnyRow, AnyRow | None]:
    found, who = with_patient(session, appointment_id)
    if not can_change(found):
        state = "has begun" if found.cancelled_at is None else "is cancelled"
        raise Unavailable(
            f"The appointment with {found.clinician} {state}, so it cannot be changed any more.",
            "Choose a free time",
            url_for("web.free_slots", specialty=found.specialty),
        )
    return found, who


def _taken(appointment_id: int) -> Unavailable:
    return Unavailable(
        "The new time is already taken, or has begun. You still have your appointment as it was.",
        "Choose another time",
        url_for("web.reschedule", appointment_id=appointment_id),
    )


def _like(appointment: AnyRow) -> MultiDict[str, str]:
    return MultiDict(
        {"specialty": appointment.specialty, "clinician": str(appointment.clinician_id)}
    )


def _done(appointment: AnyRow, message: str) -> Response:
    flash(message)
    remember_patient(appointment.patient_id)
    return redirect(url_for("web.appointments"), 303)
