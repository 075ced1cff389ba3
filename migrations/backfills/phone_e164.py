"""``patient.phone_e164`` from what people had typed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from app.clinic.phones import InvalidPhone, Layout, e164, held
from migrations.guard import GuardError
from migrations.guard.backfill import AnyRow, Backfill, Computed, Refusal


def _columns(connection: Connection) -> Sequence[str]:
    layout = held(connection)
    connection.rollback()
    if layout is Layout.BEFORE:
        raise GuardError("There is no phone_e164 yet. First: flask db upgrade 0004")
    return ("phone" if layout is Layout.EXPANDED else "phone_archive"), "phone_e164"


def _compute(row: AnyRow) -> Computed:
    _, number, now = tuple(row)
    if not number:  # none was typed; once contracted, an empty archive says nothing
        return None
    try:
        wanted = e164(number)
    except InvalidPhone:
        return Refusal("no telephone number") if now is None else {"phone_e164": None}
    return None if wanted == now else {"phone_e164": wanted}


BACKFILL = Backfill(
    name="phone_e164",
    table="patient",
    columns=_columns,
    compute=_compute,
    # All that was typed with a country differs from its E.164 in punctuation only.
    suspects=(
        "NOT {0} <=> {1} AND NOT (LEFT({0}, 1) = '+' "
        "AND CONCAT('+', REGEXP_REPLACE({0}, '[^0-9]', '')) <=> {1})"
    ),
)
