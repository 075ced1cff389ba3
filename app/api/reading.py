"""What can be read without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from app.api.blueprint import Blueprint
from app.api.schemas import (
    ClinicianSchema,
    CliniciansQuery,
    PageQuery,
    PatientSchema,
    SlotSchema,
    SlotsQuery,
    UtilisationQuery,
    UtilisationReport,
    page_of,
)
from app.clinic import catalogue
from app.clinic.paging import Page
from app.database import transaction
from app.replicas import read

REPORT_DAYS = timedelta(days=30)

blueprint = Blueprint("reading", __name__, "Reading")


@blueprint.get("/clinicians")
@blueprint.arguments(CliniciansQuery, location="query")
@blueprint.problems()
@blueprint.response(200, page_of(ClinicianSchema))
def clinicians(query: dict[str, Any]) -> Page:
    """List clinicians."""
    return read(lambda session: catalogue.clinicians(session, **query))


@blueprint.get("/patients")
@blueprint.arguments(PageQuery, location="query")
@blueprint.problems()
@blueprint.response(200, page_of(PatientSchema))
def patients(query: dict[str, Any]) -> Page:
    """List patients. They are synthetic; there are no accounts."""
    return transaction(lambda session: catalogue.patients(session, **query))


@blueprint.get("/slots")
@blueprint.arguments(SlotsQuery, location="query")
@blueprint.problems()
@blueprint.response(200, page_of(SlotSchema))
def free_slots(query: dict[str, Any]) -> Page:
    """List free slots, soonest first."""
    query.setdefault("starting", datetime.now(UTC))
    return read(lambda session: catalogue.free_slots(session, **query))


@blueprint.get("/reports/utilisation")
@blueprint.arguments(UtilisationQuery, location="query")
@blueprint.problems()
@blueprint.response(200, UtilisationReport)
def utilisation(query: dict[str, Any]) -> dict[str, Sequence[Any]]:
    """Report how full each clinician's time is. Reads every slot of the time."""
    starting = query.get("starting") or datetime.now(UTC)
    before = query.get("before") or _later(starting)
    rows = read(lambda session: catalogue.utilisation(session, starting, before))
    return {"items": rows}


def _later(moment: datetime) -> datetime:
    try:
        return moment + REPORT_DAYS
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
