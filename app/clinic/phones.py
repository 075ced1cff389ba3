"""Telephone numbers, while their column moves.

This release works on every layout that the move goes through, so that neither the schema nor the
application has to wait for the other:

=============  =======================  ==========================  ============================
layout         columns                  read                        written
=============  =======================  ==========================  ============================
before 0004    phone                    phone                       phone
expanded       phone, phone_e164        phone, which all releases   both
                                        keep
contracted     phone_e164,              phone_e164, else the        both, so that the way back is
(0005)         phone_archive            archive                     a rename and no read misses it
=============  =======================  ==========================  ============================

A transaction that reads a table holds its metadata lock until it ends, so that the layout it has
looked up cannot change under it. The release after this one reads ``phone_e164`` only, and writes
the archive, if only NULL, until it drops it.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import phonenumbers
from sqlalchemy import ColumnElement, Connection, func, literal_column, text
from sqlalchemy.orm import Session

REGION = "DE"  # of numbers that are written without a country
EXAMPLE = "+49 30 1234567"
LOCK_TO_READ = text("SELECT * FROM patient LIMIT 0")
LOCK_TO_WRITE = text("SELECT * FROM patient LIMIT 0 FOR UPDATE")


class Layout(Enum):
    """How the table holds telephone numbers."""

    BEFORE = frozenset({"phone"})
    EXPANDED = frozenset({"phone", "phone_e164"})
    CONTRACTED = frozenset({"phone_e164", "phone_archive"})


class InvalidPhone(ValueError):  # noqa: N818
    """What was given is no telephone number; the message says what is expected."""


def e164(number: str) -> str:
    """A telephone number in E.164, as ``+49301234567``.

    Possible numbers pass, whether or not they are assigned: assignments change more often than
    libraries are updated.

    Raises:
        InvalidPhone: it is none.
    """
    try:
        parsed = phonenumbers.parse(number, REGION)
    except phonenumbers.NumberParseException as error:
        raise InvalidPhone(f"Enter a telephone number, for example {EXAMPLE}") from error
    if not phonenumbers.is_possible_number(parsed):
        raise InvalidPhone(f"Enter a telephone number of the right length, for example {EXAMPLE}")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def shown(number: str | None) -> str | None:
    """A stored number as it is answered: in E.164, and as it is where it cannot be."""
    try:
        return e164(number) if number else None
    except InvalidPhone:
        return number


def held(session: Session | Connection, *, to_write: bool = False) -> Layout:
    """The table's layout, which stays so until the transaction ends."""
    # The lock that a write needs is taken at once. Asked for later, it would wait behind a change
    # of the table that waits for this transaction. The columns are those of the statement that
    # takes it: information_schema would cost more than the rest of a request.
    names = session.execute(LOCK_TO_WRITE if to_write else LOCK_TO_READ).keys()
    return Layout(frozenset(name for name in names if name.startswith("phone")))


def stored(layout: Layout) -> ColumnElement[str | None]:
    """Where a number is read from."""
    if layout is not Layout.CONTRACTED:
        return literal_column("patient.phone")
    return func.coalesce(
        literal_column("patient.phone_e164"), literal_column("patient.phone_archive")
    )


def values(layout: Layout, number: str | None) -> dict[str, Any]:
    """The columns that hold *number*, or none.

    Raises:
        InvalidPhone: it is no telephone number.
    """
    return columns(layout, number, e164(number) if number else None)


def columns(layout: Layout, number: str | None, standard: str | None) -> dict[str, Any]:
    """The columns that hold a number that is *standard* in E.164."""
    known = {"phone": number, "phone_e164": standard, "phone_archive": standard or number}
    return {name: known[name] for name in layout.value}
