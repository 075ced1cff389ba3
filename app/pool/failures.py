"""Why a connection could not be opened, in few words that make good labels."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from .layout import FAILURE_REASONS

# By what the operating system said, most special first: all are kinds of OSError.
_BY_TYPE: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, "refused"),
    (TimeoutError, "timeout"),
    (socket.gaierror, "name_resolution"),
    (ssl.SSLError, "tls"),
    (OSError, "network"),
)
# By what the server said: MySQL's error numbers.
_BY_NUMBER = {
    **dict.fromkeys((1044, 1045, 1049, 1130, 1698, 3118, 3955), "access_denied"),
    **dict.fromkeys((1040, 1203, 1226), "too_many_connections"),
}


def failure_reason(error: BaseException) -> int:
    """The index in ``FAILURE_REASONS`` of why *error* was raised while connecting."""
    return FAILURE_REASONS.index(_reason(list(_chain(error))))


def _reason(chain: list[BaseException]) -> str:
    for error in chain:
        number = error.args[0] if error.args else None
        if isinstance(number, int) and number in _BY_NUMBER:
            return _BY_NUMBER[number]
    for error in chain:
        for kind, reason in _BY_TYPE:
            if isinstance(error, kind):
                return reason
    return "other"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it; a driver may keep the latter in an attribute of its own."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "original_exception", None) or error.__cause__ or error.__context__
