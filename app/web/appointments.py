"""The pages on which a patient's appointments are read."""

from __future__ import annotations

from collections.abc import Sequence

from flask import redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.clinic import booking, catalogue, patients, waitlist
from app.clinic.errors import NotFound
from app.clinic.paging import AnyRow, Page
from app.database import transaction
from app.web.booking import known_patient
from app.web.forms import PatientForm
from app.web.pages import blueprint, forget_patient, remember_patient, remembered_patient

APPOINTMENTS_PER_PAGE = 10
MOST_WAITS = 100


@blueprint.get("/patient")
def patient() -> str:
    """Ask whose appointments to show."""
    return render_template("patient.html", form=PatientForm(patient=remembered_patient()))


@blueprint.post("/patient")
def choose_patient() -> Response | tuple[str, int]:
    """Remember the patient in this browser."""
    form = PatientForm()
    if form.validate() and transaction(lambda session: known_patient(session, form)):
        remember_patient(form.patient.data)
        return redirect(url_for("web.appointments"), 303)
    return render_template("patient.html", form=form), 422


@blueprint.get("/appointments")
def appointments() -> str | Response:
    """List the remembered patient's appointments, in the order they were booked."""
    number = remembered_patient()
    found = transaction(lambda session: _appointments(session, number)) if number else None
    if found is None:
        forget_patient()  # of a database that is no more
        return redirect(url_for("web.patient"))
    who, page, waits = found
    return render_template("appointments.html", patient=who, page=page, waits=waits)


@blueprint.get("/appointments/<int:appointment_id>")
def appointment(appointment_id: int) -> str:
    """Show one appointment; also the confirmation after booking."""
    found, who = transaction(lambda session: with_patient(session, appointment_id))
    return render_template("appointment.html", appointment=found, patient=who)


def with_patient(session: Session, appointment_id: int) -> tuple[AnyRow, AnyRow | None]:
    """An appointment and its patient.

    Raises:
        NotFound: there is no such appointment.
    """
    found = booking.get(session, appointment_id)
    return found, catalogue.patient(session, found.patient_id)


def _appointments(session: Session, number: int) -> tuple[AnyRow, Page, Sequence[AnyRow]] | None:
    try:
        who = patients.get(session, number)
    except NotFound:
        return None
    page = booking.of_patient(session, number, APPOINTMENTS_PER_PAGE, request.args.get("after"))
    return who, page, waitlist.of_patient(session, number, MOST_WAITS).items
