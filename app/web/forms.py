"""What people fill in, and what they are told where it is wrong."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional
from wtforms.widgets import TextInput

from app.clinic import phones
from app.clinic.paging import AnyRow

ENTER_NUMBER = "Enter a patient number, for example 12"
LARGEST_ID = 2**63 - 1
_KEY = re.compile(r"[\w-]{16,64}", re.ASCII)


class NumberField(IntegerField):  # type: ignore[misc]
    """A whole number, typed as text: number inputs change it by the mouse wheel."""

    widget = TextInput()

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the number, or say what is wanted."""
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(ENTER_NUMBER) from None


class DayField(DateField):  # type: ignore[misc]
    """A date; browsers without a date picker show a text field."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the date, or say how it is written."""
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Enter a real date, for example 2026-11-24") from None


class ChoiceField(SelectField):  # type: ignore[misc]
    """One of the choices that are offered, or none."""

    def pre_validate(self, form: Any) -> None:
        """Refuse what is not among the choices."""
        if self.data not in [value for value, _ in self.choices]:
            raise ValidationError(f"Choose a {self.name} from the list")

    def offer(self, choices: Iterable[tuple[str, str]]) -> None:
        """Offer *choices*, values and labels, after the choice of any."""
        self.choices = [("", "Any"), *choices]


class SlotFilter(FlaskForm):  # type: ignore[misc]
    """Which free slots to show."""

    class Meta:
        """A form that only reads needs no token."""

        csrf = False

    specialty = ChoiceField("Specialty", default="")
    clinician = ChoiceField("Clinician", default="")
    date = DayField("From day", [Optional()])

    def offer(self, specialties: Sequence[str], clinicians: Sequence[AnyRow]) -> None:
        """Offer what the clinic has."""
        self.specialty.offer((name, name) for name in specialties)
        self.clinician.offer((str(row.id), f"{row.name} ({row.specialty})") for row in clinicians)

    @property
    def clinician_id(self) -> int | None:
        """The chosen clinician; only after validation."""
        return int(self.clinician.data) if self.clinician.data else None


class PatientForm(FlaskForm):  # type: ignore[misc]
    """Who it is about."""

    patient = NumberField(
        "Patient number",
        [InputRequired(ENTER_NUMBER), NumberRange(1, LARGEST_ID, ENTER_NUMBER)],
    )

    def refuse_patient(self, reason: str) -> None:
        """Say at the number what only the database could tell."""
        self.patient.errors = [reason]


class BookingForm(PatientForm):
    """Who comes, and why.

    The key makes a second sending of the same form harmless. One that is missing or was tampered
    with is replaced.
    """

    reason = TextAreaField(
        "Reason (optional)",
        [Length(max=200, message="Reason must be 200 characters or fewer")],
        filters=[lambda text: " ".join(text.split()) or None if text else None],
    )
    telehealth = BooleanField("By video call")
    key = HiddenField(
        filters=[lambda key: key if key and _KEY.fullmatch(key) else secrets.token_urlsafe(24)]
    )

    def renew_key(self) -> None:
        """Make the next sending of this form a new request."""
        self.key.data = secrets.token_urlsafe(24)


def is_phone(_: FlaskForm, field: StringField) -> None:
    """Refuse what is given and no telephone number."""
    try:
        if field.data:
            phones.e164(field.data)
    except phones.InvalidPhone as error:
        raise ValidationError(str(error)) from error


class WaitForm(PatientForm):
    """Who waits for which specialty."""

    specialty = ChoiceField("Specialty", default="")

    def validate_specialty(self, field: ChoiceField) -> None:
        """One must be chosen."""
        if not field.data:
            raise ValidationError("Choose a specialty")

    def refuse_specialty(self, reason: str) -> None:
        """Say at the specialty what only the database could tell."""
        self.specialty.errors = [reason]


class PhoneForm(FlaskForm):  # type: ignore[misc]
    """A telephone number."""

    phone = StringField(
        "Telephone number (optional)",
        [Length(max=32, message="Telephone number must be 32 characters or fewer"), is_phone],
        filters=[lambda text: " ".join(text.split()) or None if text else None],
        render_kw={"type": "tel", "autocomplete": "tel"},
    )
