"""Registering, how to reach a patient, and the waiting list."""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.schemas import (
    JoinSchema,
    PageQuery,
    PatientDetailsSchema,
    PhoneSchema,
    RegistrationSchema,
    WaitSchema,
    page_of,
)
from app.clinic import patients, waitlist
from app.clinic.paging import AnyRow, Page
from app.database import transaction

blueprint = Blueprint("patients", __name__, "Patients and the waiting list")


@blueprint.post("/patients")
@blueprint.arguments(RegistrationSchema)
@blueprint.problems(400, 409, 413, 415)
@blueprint.response(201, PatientDetailsSchema)
def register(wanted: dict[str, Any]) -> AnyRow:
    """Register a patient. Synthetic data only: there are no accounts."""
    return transaction(lambda session: patients.register(session, **wanted))


@blueprint.get("/patients/<int:patient_id>")
@blueprint.problems(404)
@blueprint.response(200, PatientDetailsSchema)
def get(patient_id: int) -> AnyRow:
    """Read a patient, with how to reach them."""
    return transaction(lambda session: patients.get(session, patient_id))


@blueprint.patch("/patients/<int:patient_id>")
@blueprint.arguments(PhoneSchema)
@blueprint.problems(400, 404, 413, 415)
@blueprint.response(200, PatientDetailsSchema)
def change_phone(wanted: dict[str, str | None], patient_id: int) -> AnyRow:
    """Change a patient's telephone number; null is none."""
    return transaction(lambda session: patients.change_phone(session, patient_id, wanted["phone"]))


@blueprint.post("/waitlist")
@blueprint.arguments(JoinSchema)
@blueprint.problems(400, 404, 409, 413, 415)
@blueprint.response(201, WaitSchema)
def join(wanted: dict[str, Any]) -> AnyRow:
    """Put a patient on the waiting list for a specialty."""
    return transaction(lambda session: waitlist.join(session, **wanted))


@blueprint.delete("/waitlist/<int:entry_id>")
@blueprint.problems(404)
@blueprint.response(204)
def leave(entry_id: int) -> None:
    """Take an entry off the waiting list."""
    transaction(lambda session: waitlist.leave(session, entry_id))


@blueprint.get("/patients/<int:patient_id>/waitlist")
@blueprint.arguments(PageQuery, location="query")
@blueprint.problems(404)
@blueprint.response(200, page_of(WaitSchema))
def of_patient(query: dict[str, Any], patient_id: int) -> Page:
    """List what a patient waits for."""
    return transaction(lambda session: waitlist.of_patient(session, patient_id, **query))
