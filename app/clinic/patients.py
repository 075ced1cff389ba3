"""Patients: registering, and keeping their telephone numbers."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import column, insert, select, table, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clinic import phones
from app.clinic.errors import Conflict, NotFound
from app.clinic.models import Patient
from app.clinic.paging import AnyRow

# With the columns of all layouts, whichever of them there are: see app.clinic.phones.
PATIENT = table(
    "patient",
    *map(column, ("id", "name", "email", "born", "phone", "phone_e164", "phone_archive")),
)


def register(
    session: Session, name: str, email: str, born: date, phone: str | None = None
) -> AnyRow:
    """Add a patient.

    Raises:
        Conflict: somebody has this e-mail address already.
        InvalidPhone: *phone* is no telephone number.
    """
    layout = phones.held(session, to_write=True)
    person = {"name": name, "email": email, "born": born}
    try:
        with session.begin_nested():
            added: Any = session.execute(
                insert(PATIENT).values(person | phones.values(layout, phone))
            )
    except IntegrityError:
        raise Conflict("A patient with this e-mail address is registered already.") from None
    return get(session, added.lastrowid)


def get(session: Session, patient_id: int) -> AnyRow:
    """One patient, with how to reach them.

    Raises:
        NotFound: there is no such patient.
    """
    phone = phones.stored(phones.held(session)).label("phone")
    found = select(Patient.id, Patient.name, Patient.email, Patient.born, phone)
    row = session.execute(found.where(Patient.id == patient_id)).one_or_none()
    if row is None:
        raise NotFound("patient", patient_id)
    return row


def change_phone(session: Session, patient_id: int, phone: str | None) -> AnyRow:
    """Give a patient another telephone number, or none.

    Raises:
        NotFound: there is no such patient.
        InvalidPhone: *phone* is no telephone number.
    """
    layout = phones.held(session, to_write=True)
    change = update(PATIENT).where(PATIENT.c.id == patient_id)
    session.execute(change.values(phones.values(layout, phone)))
    return get(session, patient_id)
