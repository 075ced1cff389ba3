"""Booking and what follows it."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from sqlalchemy.orm import Session

from app.api.blueprint import Blueprint
from app.api.schemas import (
    AppointmentSchema,
    BookingSchema,
    KeyHeader,
    MoveSchema,
    PageQuery,
    page_of,
)
from app.clinic import booking
from app.clinic.idempotency import once
from app.clinic.paging import AnyRow, Page
from app.database import transaction

blueprint = Blueprint("appointments", __name__, "Appointments")

_appointment = AppointmentSchema()


@blueprint.post("/appointments")
@blueprint.arguments(BookingSchema)
@blueprint.arguments(KeyHeader, location="headers")
@blueprint.problems(400, 404, 409, 413, 415)
@blueprint.response(201, AppointmentSchema)
def book(wanted: dict[str, Any], header: dict[str, str]) -> Response:
    """Book a slot for a patient. With an Idempotency-Key, a retry is safe."""

    def act(session: Session) -> dict[str, Any]:
        answer: dict[str, Any] = _appointment.dump(booking.book(session, **wanted))
        return answer

    def work(session: Session) -> dict[str, Any]:
        if key := header.get("key"):
            return once(session, key, wanted, lambda: act(session))
        return act(session)

    # Dumped already, so that a stored answer is given again as it was.
    response = jsonify(transaction(work))
    response.status_code = 201
    return response


@blueprint.get("/appointments/<int:appointment_id>")
@blueprint.problems(404)
@blueprint.response(200, AppointmentSchema)
def get(appointment_id: int) -> AnyRow:
    """Read an appointment."""
    return transaction(lambda session: booking.get(session, appointment_id))


@blueprint.post("/appointments/<int:appointment_id>/reschedule")
@blueprint.arguments(MoveSchema)
@blueprint.problems(400, 404, 409, 413, 415)
@blueprint.response(200, AppointmentSchema)
def reschedule(wanted: dict[str, int], appointment_id: int) -> AnyRow:
    """Move an appointment that has not begun to another slot."""
    return transaction(
        lambda session: booking.reschedule(session, appointment_id, wanted["slot_id"])
    )


@blueprint.post("/appointments/<int:appointment_id>/cancel")
@blueprint.problems(404, 409)
@blueprint.response(200, AppointmentSchema)
def cancel(appointment_id: int) -> AnyRow:
    """Cancel an appointment that has not begun; again changes nothing."""
    return transaction(lambda session: booking.cancel(session, appointment_id))


@blueprint.get("/patients/<int:patient_id>/appointments")
@blueprint.arguments(PageQuery, location="query")
@blueprint.problems(404)
@blueprint.response(200, page_of(AppointmentSchema))
def of_patient(query: dict[str, Any], patient_id: int) -> Page:
    """List a patient's appointments, in the order they were booked."""
    return transaction(lambda session: booking.of_patient(session, patient_id, **query))
