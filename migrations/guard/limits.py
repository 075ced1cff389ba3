"""How long a migration waits for what; changed by ``-x name=value`` of ``flask db``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from migrations.guard.errors import GuardError


@dataclass(frozen=True)
class Limits:
    """How long a migration waits, in seconds.

    Attributes:
        runner_wait: for another migration to end.
        lock_wait: for a table's metadata lock, in each attempt. Meanwhile all that comes after
            waits too, reads as well: it is the longest stall that a migration causes. Whole
            seconds, as MySQL counts it.
        lock_tries: attempts to get it.
    """

    runner_wait: int = 300
    lock_wait: int = 1
    lock_tries: int = 30

    @classmethod
    def given(cls, arguments: Mapping[str, str]) -> Limits:
        """The limits with those that ``-x`` names, such as ``lock-wait=2``.

        Raises:
            GuardError: one is unknown, or not a positive whole number.
        """
        names = {field.name.replace("_", "-"): field.name for field in fields(cls)}
        found: dict[str, int] = {}
        for key, value in arguments.items():
            if key not in names or not value.isdecimal() or not int(value):
                raise GuardError(
                    f"-x {key}={value}: expected one of {', '.join(names)}, "
                    "each a positive whole number."
                )
            found[names[key]] = int(value)
        return cls(**found)
