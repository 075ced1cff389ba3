"""The controls: what each is called, how it is looked at, and what came of it.

A control is a function that takes the database's state and returns a verdict. Its module registers
it with :func:`control`; importing the modules fills :data:`CONTROLS`.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from facts import Database


class Outcome(StrEnum):
    """What came of a control."""

    PASS = "pass"  # noqa: S105
    ACCEPTED = "accepted"
    FAIL = "fail"


@dataclass(frozen=True)
class Verdict:
    """An outcome, what was seen, and for one that is accepted the reason."""

    outcome: Outcome
    evidence: str
    reason: str = ""


Check = Callable[[Database], Verdict]


@dataclass(frozen=True)
class Control:
    """One rule.

    Attributes:
        id: ``cis-`` with the number in the CIS Benchmark for MySQL 9.7 (1.0.0), ``mysql-`` as in
            dev-sec's mysql-baseline, or ``own-``.
        also: the other catalogue's numbers for the same rule.
        remedy: what to do when it fails.
    """

    id: str
    also: tuple[str, ...]
    title: str
    remedy: str
    check: Check

    @property
    def order(self) -> list[tuple[bool, int, str]]:
        """A key to sort by that puts 2.9 before 2.10."""
        parts = re.findall(r"\d+|\D+", self.id)
        return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


CONTROLS: list[Control] = []

WRITTEN = (
    "`sudo vm-setup/host/mysql.sh` writes {name} = {wanted}, `sudo systemctl restart mysql` puts "
    "it in force; if it is otherwise again: RESET PERSIST `{name}`."
)
"""The remedy for a variable."""


def control(id: str, title: str, remedy: str, *also: str) -> Callable[[Check], Check]:
    """Register the decorated function as a control."""

    def register(check: Check) -> Check:
        CONTROLS.append(Control(id, also, title, remedy, check))
        return check

    return register


def evaluate(rule: Control, database: Database) -> Verdict:
    """The verdict; what cannot be looked at has failed."""
    try:
        return rule.check(database)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip() or f"exit {error.returncode}"
        return failed(f"could not be looked at: {error.cmd[0]}: {said.splitlines()[0]}")
    except OSError as error:
        return failed(f"could not be looked at: {error.filename}: {error.strerror}")
    except (LookupError, ValueError) as error:
        return failed(f"could not be looked at: {type(error).__name__}: {error}")


def passed(evidence: str) -> Verdict:
    """It is as it should be."""
    return Verdict(Outcome.PASS, evidence)


def failed(evidence: str) -> Verdict:
    """It is not."""
    return Verdict(Outcome.FAIL, evidence)


def accepted(reason: str, evidence: str) -> Verdict:
    """It is not, and that is right here: *reason* goes on after "because"."""
    return Verdict(Outcome.ACCEPTED, evidence, reason)


def holds(condition: bool, evidence: str) -> Verdict:
    """Pass or fail by *condition*."""
    return passed(evidence) if condition else failed(evidence)


def none_of(found: Iterable[str], otherwise: str = "none") -> Verdict:
    """Pass when nothing was found, with *otherwise* as evidence."""
    seen = list(found)
    return failed("; ".join(seen)) if seen else passed(otherwise)
