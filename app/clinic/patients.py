"""Patients: registering, and keeping their telephone numbers."""

from __future__ import annotations

from datetime import date

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clinic.errors import Conflict, NotFound
from app.clinic.models import Patient
from app.clinic.paging import AnyRow


def register(
    session: Session, name: str, email: str, born: date, phone: str | None = None
) -> AnyRow:
    """Add a patient.

    Raises:
        Conflict: somebody has this e-mail address already.
    """
    values = {"name": name, "email": email, "born": born, "phone": phone}
    try:
        with session.begin_nested():
            key = session.execute(insert(Patient).values(values)).inserted_primary_key  # type: ignore[attr-defined]
    except IntegrityError:
        raise Conflict("A patient with this e-mail address is registered already.") from None
    return get(session, key[0])


def get(session: Session, patient_id: int) -> AnyRow:
    """One patient, with how to reach them.

    Raises:
        NotFound: there is no such patient.
    """
    found = select(Patient.id, Patient.name, Patient.email, Patient.born, Patient.phone)
    row = session.execute(found.where(Patient.id == patient_id)).one_or_none()
    if row is None:
        raise NotFound("patient", patient_id)
    return row


def change_phone(session: Session, patient_id: int, phone: str | None) -> AnyRow:
    """Give a patient another telephone number, or none.

    Raises:
        NotFound: there is no such patient.
    """
    session.execute(update(Patient).where(Patient.id == patient_id).values(phone=phone))
    return get(session, patient_id)
