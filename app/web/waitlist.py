"""The pages of the waiting list."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.clinic import catalogue, waitlist
from app.clinic.errors import Conflict, NotFound
from app.database import transaction
from app.web.booking import known_patient
from app.web.forms import WaitForm
from app.web.pages import blueprint, remember_patient, remembered_patient


@blueprint.get("/waitlist")
def ask_to_wait() -> str:
    """Ask who waits for which specialty."""
    form = WaitForm(patient=remembered_patient(), specialty=request.args.get("specialty", ""))
    form.specialty.offer((name, name) for name in transaction(catalogue.specialties))
    return render_template("wait.html", form=form)


@blueprint.post("/waitlist")
def wait() -> Response | tuple[str, int]:
    """Put the patient on the list."""
    form = WaitForm()
    if not transaction(lambda session: _join(session, form)):
        return render_template("wait.html", form=form), 422
    remember_patient(form.patient.data)
    flash(f"You are on the waiting list for {form.specialty.data}.")
    return redirect(url_for("web.appointments"), 303)


@blueprint.post("/waitlist/<int:entry_id>/leave")
def leave_waitlist(entry_id: int) -> Response:
    """Take an entry off the list; again changes nothing."""

    def work(session: Session) -> None:
        try:
            waitlist.leave(session, entry_id)
        except NotFound:
            return

    transaction(work)
    flash("You are no longer on the waiting list.")
    return redirect(url_for("web.appointments"), 303)


def _join(session: Session, form: WaitForm) -> bool:
    form.specialty.offer((name, name) for name in catalogue.specialties(session))
    if not form.validate() or not known_patient(session, form):
        return False
    try:
        waitlist.join(session, form.patient.data, form.specialty.data)
    except Conflict as conflict:
        form.refuse_specialty(str(conflict))
        return False
    return True
