from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.arrivals import due_times
from loadtest.scenario import ARRIVALS, Stage

rates = st.one_of(st.just(0.0), st.floats(0.1, 400))
lengths = st.floats(0.5, 20)
seeds = st.integers(0, 2**32)
unhurried = settings(deadline=None)
ROUNDING = 1e-6  # of the arithmetic


@st.composite
def schedules(draw: st.DrawFn) -> list[Stage]:
    """One to four stages: constant, ramps up and down, and pauses."""
    drawn = draw(st.lists(st.tuples(lengths, rates, st.none() | rates), min_size=1, max_size=4))
    return [Stage(f"stage {number}", *one) for number, one in enumerate(drawn)]


@unhurried
@given(schedules(), st.sampled_from(ARRIVALS), seeds, st.floats(0.1, 1))
def test_due_times_ascend_and_lie_within_their_stages(
    stages: list[Stage], arrivals: str, seed: int, share: float
) -> None:
    begins = {}
    begin = 0.0
    for stage in stages:
        begins[stage.name] = begin
        begin += stage.seconds
    found = list(due_times(stages, arrivals, seed, share))
    for (due, stage), (after, _) in pairwise(found):
        assert due <= after + ROUNDING
        begin = begins[stage.name]
        assert begin - ROUNDING <= due <= begin + stage.seconds + ROUNDING
    assert {stage.name for _, stage in found} <= {s.name for s in stages if s.arrivals}


@unhurried
@given(schedules(), seeds)
def test_as_many_arrive_as_the_rates_say(stages: list[Stage], seed: int) -> None:
    expected = sum(stage.arrivals for stage in stages)
    constant = sum(1 for _ in due_times(stages, "constant", seed))
    assert constant in (math.floor(expected), math.ceil(expected))
    poisson = sum(1 for _ in due_times(stages, "poisson", seed))
    assert abs(poisson - expected) <= 5 * math.sqrt(expected) + 5


@unhurried
@given(schedules(), st.sampled_from(ARRIVALS), seeds)
def test_the_same_seed_gives_the_same_times(stages: list[Stage], arrivals: str, seed: int) -> None:
    assert list(due_times(stages, arrivals, seed)) == list(due_times(stages, arrivals, seed))


def test_another_seed_gives_other_times() -> None:
    stages = [Stage("a", 5, 20)]
    for arrivals in ARRIVALS:
        first, second = (list(due_times(stages, arrivals, seed)) for seed in (1, 2))
        assert first != second


@unhurried
@given(schedules(), seeds, st.integers(1, 5))
def test_several_generators_together_give_the_rate(
    stages: list[Stage], seed: int, generators: int
) -> None:
    expected = sum(stage.arrivals for stage in stages)
    for arrivals, tolerance in (("constant", generators), ("poisson", 5 * expected**0.5 + 5)):
        number = sum(
            1
            for one in range(generators)
            for _ in due_times(stages, arrivals, seed + one, 1 / generators)
        )
        assert abs(number - expected) <= tolerance


def test_constant_arrivals_have_even_distances() -> None:
    times = [due for due, _ in due_times([Stage("a", 10, 25)], "constant", 3)]
    assert len(times) == 250
    assert {round(after - due, 6) for due, after in pairwise(times)} == {0.04}


def test_poisson_arrivals_have_exponential_distances() -> None:
    """Their mean is their deviation, and e^-1 of them are longer than it."""
    times = [due for due, _ in due_times([Stage("a", 1000, 20)], "poisson", 3)]
    distances = [after - due for due, after in pairwise(times)]
    mean = sum(distances) / len(distances)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in distances) / len(distances))
    longer = sum(one > mean for one in distances) / len(distances)
    assert mean == pytest.approx(0.05, rel=0.04)
    assert deviation == pytest.approx(mean, rel=0.05)
    assert longer == pytest.approx(math.exp(-1), abs=0.02)


@pytest.mark.parametrize(("first", "last"), [(0.0, 40.0), (40.0, 0.0)])
def test_half_of_a_ramp_arrives_in_its_busier_part(first: float, last: float) -> None:
    """The area below a ramp from 0 is half full after 1/√2 of it."""
    times = [due for due, _ in due_times([Stage("ramp", 100, first, last)], "constant", 3)]
    middle = 100 / math.sqrt(2) if last else 100 - 100 / math.sqrt(2)
    assert len(times) == 2000
    assert sum(due < middle for due in times) == pytest.approx(1000, abs=1)


def test_each_stage_has_its_own_rate() -> None:
    stages = [Stage("a", 10, 5), Stage("pause", 10, 0), Stage("b", 10, 50)]
    found = Counter(stage.name for _, stage in due_times(stages, "constant", 1))
    assert found == {"a": 50, "b": 500}
