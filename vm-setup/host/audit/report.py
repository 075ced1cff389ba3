"""What was found, for a person and for a program."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator

from controls import Control, Outcome, Verdict

WIDTH = 100
COLOURS = {Outcome.PASS: "32", Outcome.ACCEPTED: "33", Outcome.FAIL: "31"}

Found = list[tuple[Control, Verdict]]


def as_text(found: Found, *, colour: bool) -> str:
    """The verdict, then what failed and its remedy, then everything."""
    failures = [one for one in found if one[1].outcome == Outcome.FAIL]
    lines = [summary(found), ""]
    for rule, verdict in failures:
        lines += _entry(rule, verdict, colour=colour, remedy=True)
    lines += ["all controls:", ""] * bool(failures)
    for rule, verdict in found:
        lines += _entry(rule, verdict, colour=colour, remedy=False)
    return "\n".join(lines)


def as_json(found: Found) -> str:
    """The same for a program."""
    controls = [
        {
            "id": rule.id,
            "also": rule.also,
            "title": rule.title,
            "outcome": verdict.outcome,
            "evidence": verdict.evidence,
            "reason": verdict.reason,
            "remedy": rule.remedy if verdict.outcome == Outcome.FAIL else "",
        }
        for rule, verdict in found
    ]
    return json.dumps({"summary": counted(found), "controls": controls}, indent=2)


def counted(found: Found) -> dict[str, int]:
    """How many had which outcome."""
    counts = Counter(verdict.outcome for _, verdict in found)
    return {outcome.value: counts[outcome] for outcome in Outcome}


def summary(found: Found) -> str:
    """The verdict in one line."""
    return ", ".join(f"{count} {outcome}" for outcome, count in counted(found).items())


def _entry(rule: Control, verdict: Verdict, *, colour: bool, remedy: bool) -> Iterator[str]:
    word = f"{verdict.outcome:<9}"
    if colour:
        word = f"\033[{COLOURS[verdict.outcome]}m{word}\033[0m"
    also = f" ({', '.join(rule.also)})" if rule.also else ""
    yield f"{word} {rule.id}{also}  {rule.title}"
    yield from _indented(f"seen: {verdict.evidence}")
    if verdict.reason:
        yield from _indented(f"accepted, because {verdict.reason}")
    if remedy:
        yield from _indented(f"remedy: {rule.remedy}")
    yield ""


def _indented(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 12,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
