"""The waiting list: who wants a time of a specialty when one becomes free."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clinic.errors import Conflict, NotFound
from app.clinic.models import Clinician, Patient, WaitlistEntry
from app.clinic.paging import AnyRow, AnySelect, Page, fetch_page


def join(session: Session, patient_id: int, specialty: str) -> AnyRow:
    """Put a patient on the list for a specialty.

    Raises:
        NotFound: there is no such patient or specialty.
        Conflict: the patient is on that list already.
    """
    _known(session, patient_id)
    found = select(Clinician.specialty).where(Clinician.specialty == specialty).limit(1)
    if (name := session.scalar(found)) is None:
        raise NotFound("specialty", specialty)
    entry = WaitlistEntry(patient_id=patient_id, specialty=name)
    try:
        with session.begin_nested():
            session.add(entry)
    except IntegrityError:
        raise Conflict(f"The patient is on the waiting list for {name} already.") from None
    return session.execute(_entries().where(WaitlistEntry.id == entry.id)).one()


def leave(session: Session, entry_id: int) -> None:
    """Take an entry off the list.

    Raises:
        NotFound: there is no such entry.
    """
    gone = session.execute(delete(WaitlistEntry).where(WaitlistEntry.id == entry_id))
    if not gone.rowcount:  # type: ignore[attr-defined]
        raise NotFound("waiting list entry", entry_id)


def of_patient(session: Session, patient_id: int, limit: int, after: str | None = None) -> Page:
    """A page of what a patient waits for, in the order of joining.

    Raises:
        NotFound: there is no such patient.
    """
    _known(session, patient_id)
    query = _entries().where(WaitlistEntry.patient_id == patient_id)
    return fetch_page(session, query, [WaitlistEntry.__table__.c.id], limit, after)


def _known(session: Session, patient_id: int) -> None:
    if session.scalar(select(Patient.id).where(Patient.id == patient_id)) is None:
        raise NotFound("patient", patient_id)


def _entries() -> AnySelect:
    return select(
        WaitlistEntry.id,
        WaitlistEntry.patient_id,
        WaitlistEntry.specialty,
        WaitlistEntry.joined_at,
    )
