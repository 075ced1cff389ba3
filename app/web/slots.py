"""The pages on which a free slot is found."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from itertools import groupby

from flask import redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.clinic import catalogue
from app.clinic.paging import AnyRow, Page
from app.replicas import read
from app.web.forms import SlotFilter
from app.web.pages import blueprint

SLOTS_PER_PAGE = 20
MOST_CLINICIANS = 200  # in a list to choose from; a specialty narrows it

Days = list[tuple[date, list[AnyRow]]]


@blueprint.get("/")
def index() -> Response:
    """Lead to the free slots."""
    return redirect(url_for("web.free_slots"))


@blueprint.get("/slots")
def free_slots() -> tuple[str, int]:
    """List free slots, soonest first."""
    form = SlotFilter(request.args)
    page = read(lambda session: find(session, form))
    return render_template(
        "slots.html", form=form, days=by_day(page.items), next_url=next_url(form, page)
    ), status(form)


def find(session: Session, form: SlotFilter) -> Page:
    """The free slots that *form* asks for; none where it asks for what is not on offer."""
    chosen = form.specialty.data or None
    clinicians = catalogue.clinicians(session, MOST_CLINICIANS, specialty=chosen)
    form.offer(catalogue.specialties(session), clinicians.items)
    if not form.validate():
        return Page([], None)
    return catalogue.free_slots(
        session,
        SLOTS_PER_PAGE,
        starting=_beginning(form.date.data),
        after=request.args.get("after"),
        clinician_id=form.clinician_id,
        specialty=chosen,
    )


def by_day(rows: Iterable[AnyRow]) -> Days:
    """Slots in groups that start on the same day."""
    return [(day, list(group)) for day, group in groupby(rows, lambda row: row.starts_at.date())]


def next_url(form: SlotFilter, page: Page) -> str | None:
    """Where the list goes on, with the same filter; None at its end."""
    if page.next is None or request.endpoint is None:
        return None
    chosen = {
        "specialty": form.specialty.data,
        "clinician": form.clinician.data,
        "date": form.date.data,
    }
    arguments = {**(request.view_args or {}), **chosen, "after": page.next}
    return url_for(request.endpoint, **arguments)


def status(form: SlotFilter) -> int:
    """The status of a page with this form."""
    return 422 if form.errors else 200


def _beginning(day: date | None) -> datetime:
    now = datetime.now(UTC)
    return max(now, datetime.combine(day, time(tzinfo=UTC))) if day else now
