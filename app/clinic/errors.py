"""What can go wrong with a well-formed request.

ClinicError
├── NotFound       the thing named does not exist
├── Conflict       the state of things does not allow it
└── KeyReused      an idempotency key came with another request
"""

from __future__ import annotations


class ClinicError(Exception):
    """A request that cannot be carried out; the message says why, for people."""


class NotFound(ClinicError):  # noqa: N818
    """There is no *thing* with this id or name."""

    def __init__(self, thing: str, identifier: int | str) -> None:
        super().__init__(f"There is no {thing} {identifier}.")


class Conflict(ClinicError):  # noqa: N818
    """The state of things does not allow the request."""


class KeyReused(ClinicError):  # noqa: N818
    """An idempotency key was used before, with another request."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with another request. Use a new key.")
