"""What can be read: clinicians, patients, free slots, and how full the clinic is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.clinic.models import Appointment, Clinician, Patient, Slot
from app.clinic.paging import AnyRow, Page, fetch_page


def clinicians(
    session: Session, limit: int, after: str | None = None, specialty: str | None = None
) -> Page:
    """A page of clinicians by id: id, name and specialty."""
    query = select(Clinician.id, Clinician.name, Clinician.specialty)
    if specialty:
        query = query.where(Clinician.specialty == specialty)
    return fetch_page(session, query, [Clinician.__table__.c.id], limit, after)


def specialties(session: Session) -> Sequence[str]:
    """The specialties that the clinic has, in alphabetical order."""
    return session.scalars(
        select(Clinician.specialty).distinct().order_by(Clinician.specialty)
    ).all()


def patients(session: Session, limit: int, after: str | None = None) -> Page:
    """A page of patients by id: id and name."""
    query = select(Patient.id, Patient.name)
    return fetch_page(session, query, [Patient.__table__.c.id], limit, after)


def patient(session: Session, patient_id: int) -> AnyRow | None:
    """One patient's id and name, or None."""
    return session.execute(
        select(Patient.id, Patient.name).where(Patient.id == patient_id)
    ).one_or_none()


def free_slots(
    session: Session,
    limit: int,
    starting: datetime,
    before: datetime | None = None,
    after: str | None = None,
    clinician_id: int | None = None,
    specialty: str | None = None,
) -> Page:
    """A page of free slots, soonest first: slot, times, clinician's id, name and specialty.

    Args:
        session: the transaction to read in.
        limit: most rows of the page.
        starting: earliest start, inclusive.
        before: latest start, exclusive.
        after: cursor of the page.
        clinician_id: only this clinician's.
        specialty: only those of clinicians of this specialty.
    """
    query = (
        select(
            Slot.id,
            Slot.clinician_id,
            Clinician.name.label("clinician"),
            Slot.specialty,
            Slot.starts_at,
            Slot.ends_at,
            Slot.free_at,
        )
        .join(Clinician, Clinician.id == Slot.clinician_id)
        # Slots first: the other way round, all of them are read and sorted for each page.
        .prefix_with("STRAIGHT_JOIN")
        .where(Slot.free_at >= starting)
    )
    if before is not None:
        query = query.where(Slot.free_at < before)
    if clinician_id is not None:
        query = query.where(Slot.clinician_id == clinician_id)
    if specialty:
        query = query.where(Slot.specialty == specialty)
    order = [Slot.__table__.c.free_at, Slot.__table__.c.id]
    return fetch_page(session, query, order, limit, after)


def slot(session: Session, slot_id: int) -> AnyRow | None:
    """One slot with its clinician and whether it is free, or None."""
    return session.execute(
        select(
            Slot.id,
            Slot.clinician_id,
            Clinician.name.label("clinician"),
            Clinician.specialty,
            Slot.starts_at,
            Slot.ends_at,
            Slot.is_free,
        )
        .join(Clinician, Clinician.id == Slot.clinician_id)
        .where(Slot.id == slot_id)
    ).one_or_none()


def utilisation(session: Session, starting: datetime, before: datetime) -> Sequence[AnyRow]:
    """For each clinician, the slots that start within the time and how many are booked.

    It counts the appointments themselves, slot by slot, so it reads the whole range.
    """
    offered = func.count(Slot.id)
    booked = func.count(Appointment.id)
    return session.execute(
        select(
            Clinician.id.label("clinician_id"),
            Clinician.name,
            Clinician.specialty,
            offered.label("slots"),
            booked.label("booked"),
            (booked / offered).label("utilisation"),
        )
        .join(Slot, Slot.clinician_id == Clinician.id)
        .outerjoin(Appointment, Appointment.booked_slot_id == Slot.id)
        .where(Slot.starts_at >= starting, Slot.starts_at < before)
        .group_by(Clinician.id, Clinician.name, Clinician.specialty)
        .order_by(Clinician.id)
    ).all()
