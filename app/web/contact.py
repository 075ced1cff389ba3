"""The page on which a patient's telephone number is changed."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.clinic import patients, phones
from app.clinic.errors import NotFound
from app.clinic.paging import AnyRow
from app.database import transaction
from app.web.forms import PhoneForm
from app.web.pages import blueprint, forget_patient, remembered_patient


@blueprint.get("/contact")
def contact() -> str | Response:
    """Ask for the remembered patient's telephone number."""
    who = transaction(_remembered)
    if who is None:
        return _choose()
    return render_template(
        "contact.html", form=PhoneForm(phone=phones.shown(who.phone)), patient=who
    )


@blueprint.post("/contact")
def change_contact() -> Response | tuple[str, int]:
    """Change it."""
    form = PhoneForm()
    who = transaction(lambda session: _change(session, form))
    if who is None:
        return _choose()
    if form.errors:
        return render_template("contact.html", form=form, patient=who), 422
    flash(
        f"Your telephone number is {phones.shown(who.phone)}."
        if who.phone
        else "You have no number here."
    )
    return redirect(url_for("web.appointments"), 303)


def _change(session: Session, form: PhoneForm) -> AnyRow | None:
    who = _remembered(session)
    if who is None or not form.validate():
        return who
    return patients.change_phone(session, who.id, form.phone.data)


def _remembered(session: Session) -> AnyRow | None:
    number = remembered_patient()
    try:
        return patients.get(session, number) if number else None
    except NotFound:
        return None


def _choose() -> Response:
    forget_patient()
    return redirect(url_for("web.patient"), 303)
