"""What stands in for az and gcloud: it keeps what was made, and refuses what the clouds refuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from socket import socket
from typing import Any

Thing = dict[str, Any]


class RefusedError(Exception):
    """The cloud says no."""


class HalfError(Exception):
    """The change is made, but not whole, and the command fails."""


@dataclass
class StandIn:
    """An account in a cloud.

    Attributes:
        cloud: what the account may and has, apart from what is made in it.
        things: what was made, by kind and name.
        commands: every command so far, and whether it changes something.
        fail_at: the number of the change that fails, from 1.
        how: `before` it is made, or `half`-way.
        tunnels: sockets that listen until the end.
    """

    cloud: dict[str, Any]
    things: dict[str, Thing] = field(default_factory=dict)
    commands: list[tuple[list[str], bool]] = field(default_factory=list)
    fail_at: int | None = None
    how: str = "before"
    tunnels: list[socket] = field(default_factory=list)

    def run(self, arguments: list[str]) -> str:
        """Do what a command says, and return what it prints; raise RefusedError."""
        raise NotImplementedError

    def note(self, arguments: list[str], changes: bool) -> None:
        """Count a change, and fail where it was said."""
        self.commands.append((arguments, changes))
        if changes and self.fail_at == len(self.changes):
            raise HalfError if self.how == "half" else RefusedError("the connection was lost")

    @property
    def changes(self) -> list[list[str]]:
        """The commands that change something."""
        return [arguments for arguments, changes in self.commands if changes]

    def need(self, key: str) -> None:
        """Refuse what builds on a thing that is not there."""
        if key not in self.things:
            raise RefusedError(f"there is no {key}; there are {sorted(self.things)}")


def parse(arguments: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the words before the first option, and each option's values."""
    words: list[str] = []
    options: dict[str, list[str]] = {}
    current = words
    for argument in arguments:
        if argument.startswith("--"):
            current = options.setdefault(argument, [])
        else:
            current.append(argument)
    return words, options
