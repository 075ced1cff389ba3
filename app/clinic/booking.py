"""Booking, rescheduling and cancelling, safe under concurrency.

A slot is taken by changing ``is_free`` under the row's lock; the unique key on
``appointment.booked_slot_id`` would refuse a second booking even if that failed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CursorResult, select, text, update
from sqlalchemy.orm import Session

from app.clinic.errors import Conflict, NotFound
from app.clinic.models import Appointment, Clinician, Patient, Slot
from app.clinic.paging import AnyRow, AnySelect, Page, fetch_page


def book(
    session: Session,
    slot_id: int,
    patient_id: int,
    reason: str | None = None,
    *,
    telehealth: bool = False,
) -> AnyRow:
    """Book a slot for a patient, who comes or, with *telehealth*, is called by video.

    Raises:
        NotFound: there is no such patient or slot.
        Conflict: the slot is taken or has begun.
    """
    if session.scalar(select(Patient.id).where(Patient.id == patient_id)) is None:
        raise NotFound("patient", patient_id)
    _take(session, slot_id)
    appointment = Appointment(
        slot_id=slot_id, patient_id=patient_id, reason=reason, telehealth=telehealth
    )
    session.add(appointment)
    session.flush()
    return get(session, appointment.id)


def get(session: Session, appointment_id: int) -> AnyRow:
    """One appointment.

    Raises:
        NotFound: there is no such appointment.
    """
    row = session.execute(_appointments().where(Appointment.id == appointment_id)).one_or_none()
    if row is None:
        raise NotFound("appointment", appointment_id)
    return row


def of_patient(session: Session, patient_id: int, limit: int, after: str | None = None) -> Page:
    """A page of a patient's appointments, in the order they were booked.

    Raises:
        NotFound: there is no such patient.
    """
    if session.scalar(select(Patient.id).where(Patient.id == patient_id)) is None:
        raise NotFound("patient", patient_id)
    query = _appointments().where(Appointment.patient_id == patient_id)
    return fetch_page(session, query, [Appointment.__table__.c.id], limit, after)


def reschedule(session: Session, appointment_id: int, slot_id: int) -> AnyRow:
    """Move an appointment to another slot; to its own slot is no change.

    Raises:
        NotFound: there is no such appointment or slot.
        Conflict: the appointment is cancelled or has begun, or the slot is taken or has begun.
    """
    current = _locked(session, appointment_id)
    if current.cancelled_at is not None:
        raise Conflict("The appointment is cancelled. Book a new one.")
    if current.slot_id != slot_id:
        _refuse_begun(session, current.slot_id)
        # Both slots' locks in one order, so that two patients may swap without a deadlock.
        both = select(Slot.id).where(Slot.id.in_([current.slot_id, slot_id])).order_by(Slot.id)
        session.execute(both.with_for_update()).all()
        _take(session, slot_id)
        _give_back(session, current.slot_id)
        session.execute(
            update(Appointment).where(Appointment.id == appointment_id).values(slot_id=slot_id)
        )
    return get(session, appointment_id)


def cancel(session: Session, appointment_id: int) -> AnyRow:
    """Cancel an appointment and free its slot; again is no change.

    Raises:
        NotFound: there is no such appointment.
        Conflict: the appointment has begun.
    """
    current = _locked(session, appointment_id)
    if current.cancelled_at is None:
        _refuse_begun(session, current.slot_id)
        session.execute(
            update(Appointment)
            .where(Appointment.id == appointment_id)
            .values(cancelled_at=text("CURRENT_TIMESTAMP(6)"))
        )
        _give_back(session, current.slot_id)
    return get(session, appointment_id)


def _refuse_begun(session: Session, slot_id: int) -> None:
    if session.scalars(select(Slot.starts_at).where(Slot.id == slot_id)).one() <= datetime.now(UTC):
        raise Conflict("The appointment has begun; it can no longer be moved or cancelled.")


def _take(session: Session, slot_id: int) -> None:
    taken = session.execute(
        update(Slot)
        .where(Slot.id == slot_id, Slot.is_free, Slot.starts_at > datetime.now(UTC))
        .values(is_free=False)
    )
    if _affected(taken):
        return
    found = session.execute(select(Slot.is_free).where(Slot.id == slot_id)).one_or_none()
    if found is None:
        raise NotFound("slot", slot_id)
    raise Conflict("The slot has begun." if found.is_free else "The slot is taken. Choose another.")


def _give_back(session: Session, slot_id: int) -> None:
    session.execute(update(Slot).where(Slot.id == slot_id).values(is_free=True))


def _locked(session: Session, appointment_id: int) -> AnyRow:
    row = session.execute(
        select(Appointment.slot_id, Appointment.cancelled_at)
        .where(Appointment.id == appointment_id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound("appointment", appointment_id)
    return row


def _appointments() -> AnySelect:
    return (
        select(
            Appointment.id,
            Appointment.slot_id,
            Appointment.patient_id,
            Appointment.reason,
            Appointment.telehealth,
            Appointment.booked_at,
            Appointment.cancelled_at,
            Slot.clinician_id,
            Slot.starts_at,
            Slot.ends_at,
            Clinician.name.label("clinician"),
            Clinician.specialty,
        )
        .join(Slot, Slot.id == Appointment.slot_id)
        .join(Clinician, Clinician.id == Slot.clinician_id)
    )


def _affected(result: Any) -> int:
    if not isinstance(result, CursorResult):
        raise TypeError(result)
    return result.rowcount
