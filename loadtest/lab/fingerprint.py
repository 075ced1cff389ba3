"""Would the dashboard have told you? A scenario's marks, looked for in the recorded curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from loadtest.lab.errors import LabError
from loadtest.lab.samples import Sample
from loadtest.lab.series import SERIES
from loadtest.scenario import Mark, Scenario


@dataclass(frozen=True)
class Seen:
    """A mark, whether it was there, and what was found instead or as well.

    ``after`` is the number of seconds from the stage's begin until the first sample showed it,
    for marks that are events.
    """

    says: str
    series: str
    during: str
    expected: str
    found: str
    seen: bool
    after: float | None


def check(marks: Sequence[Mark]) -> None:
    """Look at what a scenario says, before anything runs.

    Raises:
        LabError: a mark names a series that there is not.
    """
    for mark in marks:
        if mark.series not in SERIES:
            raise LabError(
                f"fingerprint {mark.says!r}: there is no series {mark.series!r}. "
                f"There are: {', '.join(SERIES)}."
            )


def look(scenario: Scenario, samples: Sequence[Sample], began: float) -> list[Seen]:
    """Look for every mark of *scenario*; *began* is when the traffic did, as samples have it.

    Raises KeyError when a mark names a series that there is not.
    """
    return [_look(mark, scenario, samples, began) for mark in scenario.marks]


def _look(mark: Mark, scenario: Scenario, samples: Sequence[Sample], began: float) -> Seen:
    times = [sample.at - began for sample in samples]
    curve = list(zip(times, SERIES[mark.series](samples), strict=True))
    begin, end = scenario.bounds(mark.during)
    inside = [(at, value) for at, value in curve if begin < at <= end and value is not None]
    # What happens just before a stage's end is told by the first sample after it.
    after = next(((at, v) for at, v in curve if at > end and v is not None), None)
    if mark.at_least is not None:
        return _reached(mark, [*inside, after] if after else inside, begin)
    if mark.times is not None:
        first = scenario.bounds(scenario.stages[0].name)
        before = [value for at, value in curve if first[0] < at <= first[1] and value is not None]
        return _grown(mark, [value for _, value in inside], before)
    return _bounded(mark, [value for _, value in inside])


def _reached(mark: Mark, inside: Sequence[tuple[float, float]], begin: float) -> Seen:
    limit = mark.at_least or 0.0
    first = next((at for at, value in inside if value >= limit), None)
    highest = max((value for _, value in inside), default=None)
    return _seen(
        mark,
        f"at least {number(limit)} at some time",
        f"at most {number(highest)}",
        first is not None,
        None if first is None else round(first - begin, 1),
    )


def _bounded(mark: Mark, inside: Sequence[float]) -> Seen:
    if mark.ends_at_most is not None:
        last = inside[-1] if inside else None
        seen = last is not None and last <= mark.ends_at_most
        expected = f"at most {number(mark.ends_at_most)} at the end"
        return _seen(mark, expected, f"{number(last)} at the end", seen)
    limit, highest = mark.at_most or 0.0, max(inside, default=None)
    seen = highest is not None and highest <= limit
    return _seen(mark, f"never above {number(limit)}", f"at most {number(highest)}", seen)


def _grown(mark: Mark, inside: Sequence[float], before: Sequence[float]) -> Seen:
    expected = f"{number(mark.times)} times what it was before"
    if not inside or not before:
        return _seen(mark, expected, "no samples", seen=False)
    now, was = median(inside), median(before)
    found = f"{number(was)}, then {number(now)}"
    return _seen(mark, expected, found, now > 0 and now >= (mark.times or 0.0) * was)


def _seen(mark: Mark, expected: str, found: str, seen: bool, after: float | None = None) -> Seen:
    return Seen(mark.says, mark.series, mark.during, expected, found, seen, after)


def number(value: float | None) -> str:
    """Return a measured value for a person."""
    return "nothing measured" if value is None else f"{value:.3g}"
