from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from loadtest.lab import fingerprint
from loadtest.lab.errors import LabError
from loadtest.lab.fingerprint import Seen
from loadtest.lab.samples import Sample
from loadtest.scenario import Mark, Scenario, Stage
from loadtest.slo import Slo
from tests.loadtest.runs import load, pool, spike

STAGES = [Stage("base", 3, 10), Stage("spike", 4, 90), Stage("recovery", 3, 10)]
BEGAN = 5.0  # the recording began before the traffic


def look(waiting: Sequence[float | None], *, during: str = "spike", **limit: Any) -> Seen:
    """What is found in samples once a second, half a second after the traffic began and on."""
    mark = Mark("threads wait", "waiting", during, **limit)
    scenario = Scenario("x", "X", STAGES, Slo(0.01, 1000), marks=[mark])
    samples = [
        Sample(BEGAN + at + 0.5, None if value is None else pool(value), None)
        for at, value in enumerate(waiting)
    ]
    (seen,) = fingerprint.look(scenario, samples, BEGAN)
    assert (seen.says, seen.series, seen.during) == ("threads wait", "waiting", during)
    return seen


#       base      spike       recovery
CURVE = (1, 1, 1, 2, 9, 4, 3, 0, 0, 0)


def test_what_is_reached_at_some_time() -> None:
    seen = look(CURVE, at_least=4)
    assert (seen.seen, seen.after) == (True, 1.5)
    assert (seen.expected, seen.found) == ("at least 4 at some time", "at most 9")
    assert look(CURVE, at_least=9).seen
    missing = look(CURVE, at_least=9.5)
    assert (missing.seen, missing.after, missing.found) == (False, None, "at most 9")


def test_what_happens_at_a_stages_end_is_told_by_the_sample_after_it() -> None:
    late = (0, 0, 0, 0, 0, 0, 0, 7, 0, 0)
    assert look(late, at_least=7).after == 4.5
    assert not look((0, 0, 0, 0, 0, 0, 0, 0, 7, 0), at_least=7).seen


def test_what_happens_in_another_stage_does_not_count() -> None:
    assert not look(CURVE, during="base", at_least=3).seen
    assert not look((0, 0, 9, 0, 0, 0, 0, 0, 0, 0), at_least=3).seen


def test_what_is_never_exceeded() -> None:
    seen = look(CURVE, at_most=9)
    assert (seen.seen, seen.after) == (True, None)
    assert (seen.expected, seen.found) == ("never above 9", "at most 9")
    assert not look(CURVE, at_most=8).seen
    assert look(CURVE, during="recovery", at_most=0).seen


def test_what_it_ends_with() -> None:
    seen = look(CURVE, ends_at_most=3)
    assert (seen.seen, seen.after) == (True, None)
    assert (seen.expected, seen.found) == ("at most 3 at the end", "3 at the end")
    assert not look(CURVE, ends_at_most=2).seen
    assert look(CURVE, during="recovery", ends_at_most=0).seen


def test_what_is_many_times_what_it_was() -> None:
    seen = look(CURVE, times=3)
    assert (seen.seen, seen.after) == (True, None)
    assert (seen.expected, seen.found) == ("3 times what it was before", "1, then 3.5")
    assert look(CURVE, times=3.5).seen
    assert not look(CURVE, times=4).seen


def test_nothing_is_not_many_times_nothing_but_something_is() -> None:
    assert not look((0, 0, 0, 0, 0, 0, 0, 0, 0, 0), times=3).seen
    assert look((0, 0, 0, 1, 1, 1, 1, 0, 0, 0), times=3).seen


@pytest.mark.parametrize(
    "limit", [{"at_least": 0}, {"at_most": 99}, {"ends_at_most": 99}, {"times": 0}]
)
@pytest.mark.parametrize("curve", [(), (None,) * 10, (None, 1, None, *[None] * 6)])
def test_without_samples_nothing_is_seen(curve: Any, limit: dict[str, Any]) -> None:
    seen = look(curve, **limit)
    assert (seen.seen, seen.after) == (False, None)
    assert "nothing measured" in seen.found or seen.found == "no samples"


def test_samples_without_an_answer_are_left_out() -> None:
    gaps = (1, None, 1, None, 9, 4, None, None, 0, 0)
    assert look(gaps, at_least=9).after == 1.5
    assert look(gaps, ends_at_most=4).seen
    assert look(gaps, times=6).seen


def test_counters_are_looked_at_as_rates() -> None:
    mark = Mark("requests fail", "failed", "spike", at_least=0.9)
    scenario = Scenario("x", "X", STAGES, Slo(0.01, 1000), marks=[mark])
    (seen,) = fingerprint.look(scenario, spike().samples, 0.0)
    assert (seen.seen, seen.after, seen.found) == (True, 1.0, "at most 1")


def test_every_mark_is_looked_for_in_its_order() -> None:
    marks = [Mark(says, "users", "base", at_least=1) for says in "abc"]
    scenario = Scenario("x", "X", STAGES, Slo(0.01, 1000), marks=marks)
    found = fingerprint.look(scenario, [Sample(1.0, None, load(1, 0))], 0.0)
    assert [seen.says for seen in found] == ["a", "b", "c"]


def test_a_series_that_there_is_not_is_told_before_anything_runs() -> None:
    fingerprint.check([Mark("x", "waiting", "spike", at_least=1)])
    with pytest.raises(LabError, match=r"no series 'sorrow'\. There are: in use"):
        fingerprint.check([Mark("x", "sorrow", "spike", at_least=1)])
