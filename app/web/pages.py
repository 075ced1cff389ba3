"""What all pages share: their blueprint, the remembered patient, and the page that says no."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, render_template, session

from app.clinic.paging import AnyRow

PATIENT = "patient"

blueprint = Blueprint(
    "web",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)


class Unavailable(Exception):  # noqa: N818
    """What somebody asked for is gone; *label* and *url* lead to what can be done instead."""

    def __init__(self, reason: str, label: str, url: str) -> None:
        super().__init__(reason)
        self.label = label
        self.url = url


def unavailable(error: Unavailable) -> tuple[str, int]:
    """The page for :class:`Unavailable`."""
    return render_template("unavailable.html", error=error), 409


def remembered_patient() -> int | None:
    """The number of the patient that this browser chose last, or None."""
    number = session.get(PATIENT)
    return number if isinstance(number, int) else None


def remember_patient(number: int) -> None:
    """Keep the patient's number in the browser's signed session cookie."""
    session[PATIENT] = number


def forget_patient() -> None:
    """Remember no patient any more."""
    session.pop(PATIENT, None)


def can_change(appointment: AnyRow) -> bool:
    """Whether an appointment can still be moved or cancelled: it stands, and has not begun."""
    return appointment.cancelled_at is None and bool(appointment.starts_at > datetime.now(UTC))


blueprint.add_app_template_test(can_change, "changeable")
