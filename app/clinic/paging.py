"""Pages by keyset: each starts after the last row of the one before, however deep it is."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sqlalchemy import Row, Select, and_, or_
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.clinic.models import UtcDateTime

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"
AnySelect: TypeAlias = "Select[*tuple[Any, ...]]"


class InvalidCursor(ValueError):  # noqa: N818
    """The text is not a cursor that a page gave out."""


@dataclass(frozen=True)
class Page:
    """Rows, and the cursor of the page after them; None at the end."""

    items: Sequence[AnyRow]
    next: str | None


def fetch_page(
    session: Session,
    query: AnySelect,
    order: Sequence[ColumnElement[Any]],
    limit: int,
    after: str | None = None,
) -> Page:
    """The first *limit* rows of *query* in *order* after the cursor *after*.

    The columns of *order* must be selected by the query, end in a unique one, and be the columns
    of an index.

    Raises:
        InvalidCursor: *after* is not a cursor of such a page.
    """
    if after is not None:
        query = query.where(_beyond(order, _decode(after, order)))
    rows = session.execute(query.order_by(*order).limit(limit + 1)).all()
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]._mapping
    return Page(rows[:limit], _encode([last[column] for column in order]))


def _beyond(order: Sequence[ColumnElement[Any]], values: Sequence[Any]) -> ColumnElement[bool]:
    # MySQL bounds an index scan by these comparisons, but not by one of rows: (a, b) > (x, y).
    first, *others = order
    further: ColumnElement[bool] = first > values[0]
    if not others:
        return further
    return or_(further, and_(first == values[0], _beyond(others, values[1:])))


def _encode(values: list[Any]) -> str:
    plain = [v.isoformat() if isinstance(v, datetime) else v for v in values]
    return urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _decode(cursor: str, order: Sequence[ColumnElement[Any]]) -> list[Any]:
    try:
        plain = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(plain, list) or len(plain) != len(order):
            raise ValueError(plain)
        return [_typed(value, column) for value, column in zip(plain, order, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidCursor("Not a cursor of this list: use the page's own 'next'.") from error


def _typed(value: Any, column: ColumnElement[Any]) -> Any:
    if isinstance(column.type, UtcDateTime):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(value)
        return moment.astimezone(UTC)
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(value)
    return value
