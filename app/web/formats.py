"""Times as people read them. All are UTC, and say so where they stand alone."""

from __future__ import annotations

from datetime import UTC, date, datetime


def day(value: date) -> str:
    """A date, as ``Tuesday 24 November 2026``."""
    return f"{value:%A} {value.day} {value:%B %Y}"


def clock(value: datetime) -> str:
    """A time of day, as ``09:30``."""
    return f"{value.astimezone(UTC):%H:%M}"


def moment(value: datetime) -> str:
    """A date and time, as ``Tuesday 24 November 2026, 09:30 UTC``."""
    return f"{day(value.astimezone(UTC))}, {clock(value)} UTC"
