"""What requests and answers look like; also the source of the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates

from app.clinic import phones

MOST_ITEMS = 100
LARGEST_ID = 2**63 - 1


class Moment(fields.AwareDateTime):
    """A time with its zone, RFC 3339; answered in UTC, as ``2026-11-23T09:00:00Z``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", default_timezone=None, **kwargs)

    def _serialize(self, value: datetime | None, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def _deserialize(self, *args: Any, **kwargs: Any) -> datetime:
        moment: datetime = super()._deserialize(*args, **kwargs)
        try:
            return moment.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError("Not within the years 1 to 9999.") from error


class Digits(fields.Integer):
    """A whole number in a query string, in digits and nothing else."""

    def _validated(self, value: Any) -> int:
        if not re.fullmatch(r"-?[0-9]+", str(value)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Flag(fields.Boolean):
    """True or false, and not what only looks like it."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


def identifier(**kwargs: Any) -> fields.Integer:
    """The id of something: a positive whole number that MySQL's BIGINT holds."""
    return fields.Integer(validate=validate.Range(1, LARGEST_ID), strict=True, **kwargs)


def _writable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValidationError("Has half a character (a lone surrogate).") from error


class ProblemSchema(Schema):
    """Problem details, RFC 9457."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "A name programs may rely on."})
    correlation_id = fields.String(required=True)
    errors = fields.Dict()


class PageQuery(Schema):
    """Which page of a list."""

    limit = Digits(load_default=20, validate=validate.Range(1, MOST_ITEMS))
    after = fields.String(metadata={"description": "The cursor 'next' of the page before."})


class CliniciansQuery(PageQuery):
    """Which clinicians."""

    specialty = fields.String(validate=validate.Length(1, 60))


class SlotsQuery(CliniciansQuery):
    """Which free slots."""

    clinician_id = Digits(validate=validate.Range(1, LARGEST_ID))
    starting = Moment(data_key="from", metadata={"description": "Default: now."})
    before = Moment(data_key="to")


class UtilisationQuery(Schema):
    """Which slots to count: those that start at 'from' or later, and before 'to'."""

    starting = Moment(data_key="from", metadata={"description": "Default: now."})
    before = Moment(data_key="to", metadata={"description": "Default: 30 days after 'from'."})


class ClinicianSchema(Schema):
    """Somebody who offers slots."""

    id = identifier(required=True)
    name = fields.String(required=True)
    specialty = fields.String(required=True)


class PatientSchema(Schema):
    """Somebody who books appointments."""

    id = identifier(required=True)
    name = fields.String(required=True)


class PatientDetailsSchema(PatientSchema):
    """A patient, with how to reach them."""

    email = fields.String(required=True)
    born = fields.Date(required=True)
    phone = fields.Function(
        lambda row: phones.shown(row.phone),
        metadata={"type": "string", "nullable": True, "description": "In E.164."},
        required=True,
    )


def _text(longest: int, **kwargs: Any) -> fields.String:
    return fields.String(validate=[validate.Length(max=longest), _writable], **kwargs)


def _stripped(text: str | None) -> str | None:
    return (text or "").strip() or None


def _is_phone(text: str) -> None:
    if text.strip():
        try:
            phones.e164(text)
        except phones.InvalidPhone as error:
            raise ValidationError(f"{error}.") from error


def _phone(**kwargs: Any) -> fields.String:
    checks: list[Callable[[str], Any]] = [validate.Length(max=32), _writable, _is_phone]
    return fields.String(allow_none=True, validate=checks, **kwargs)


class PhoneSchema(Schema):
    """A telephone number, or none."""

    phone = _phone(required=True)

    @post_load
    def _strip(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**data, "phone": _stripped(data["phone"])}


class RegistrationSchema(Schema):
    """Somebody new."""

    name = _text(120, required=True)
    email = fields.Email(required=True, validate=[validate.Length(max=190), _writable])
    born = fields.Date(required=True)
    phone = _phone(load_default=None)

    @validates("name")
    def _given(self, value: str, data_key: str) -> None:
        if not value.strip():
            raise ValidationError("Must not be blank.")

    @post_load
    def _strip(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**data, "name": data["name"].strip(), "phone": _stripped(data["phone"])}


class WaitSchema(Schema):
    """What a patient waits for."""

    id = identifier(required=True)
    patient_id = identifier(required=True)
    specialty = fields.String(required=True)
    joined_at = Moment(required=True)


class JoinSchema(Schema):
    """Who wants to wait for which specialty."""

    patient_id = identifier(required=True)
    specialty = fields.String(required=True, validate=[validate.Length(1, 60), _writable])


class SlotSchema(Schema):
    """A free slot."""

    id = identifier(required=True)
    clinician_id = identifier(required=True)
    clinician = fields.String(required=True)
    specialty = fields.String(required=True)
    starts_at = Moment(required=True)
    ends_at = Moment(required=True)


class AppointmentSchema(SlotSchema):
    """A slot that a patient has booked, or had booked and cancelled."""

    slot_id = identifier(required=True)
    patient_id = identifier(required=True)
    reason = fields.String(required=True, allow_none=True)
    telehealth = fields.Boolean(required=True, metadata={"description": "By video call."})
    status = fields.Function(
        lambda row: "cancelled" if row.cancelled_at else "booked",
        metadata={"type": "string", "enum": ["booked", "cancelled"]},
        required=True,
    )
    booked_at = Moment(required=True)
    cancelled_at = Moment(required=True, allow_none=True)


class BookingSchema(Schema):
    """Which slot to book for whom."""

    slot_id = identifier(required=True)
    patient_id = identifier(required=True)
    reason = fields.String(
        allow_none=True,
        load_default=None,
        validate=[validate.Length(max=200), _writable],
        metadata={"description": "In a few words; blank is none."},
    )

    telehealth = Flag(metadata={"default": False, "description": "By video call."})

    @post_load
    def _strip(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        if not data.get("telehealth"):  # as clients of before there was the choice ask
            data.pop("telehealth", None)
        return {**data, "reason": _stripped(data["reason"])}


class MoveSchema(Schema):
    """The slot to move an appointment to."""

    slot_id = identifier(required=True)


class KeyHeader(Schema):
    """Makes a client's retry safe: the same key is answered once."""

    key = fields.String(
        data_key="Idempotency-Key", validate=validate.Regexp(r"^[\x21-\x7e]{1,64}$")
    )


class UtilisationSchema(Schema):
    """How full a clinician's time is."""

    clinician_id = identifier(required=True)
    name = fields.String(required=True)
    specialty = fields.String(required=True)
    slots = fields.Integer(required=True)
    booked = fields.Integer(required=True)
    utilisation = fields.Float(required=True, metadata={"description": "booked / slots, 0 to 1"})


def page_of(item: type[Schema]) -> type[Schema]:
    """The schema of a page of *item*."""
    return Schema.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next": fields.String(required=True, allow_none=True),
        },
        name=item.__name__.removesuffix("Schema") + "Page",
    )


class UtilisationReport(Schema):
    """All clinicians' utilisation."""

    items = fields.List(fields.Nested(UtilisationSchema), required=True)
