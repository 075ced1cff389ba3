from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.lab.statistics import estimate, next_bounds, settled

samples = st.lists(st.integers(0, 1000).map(float), min_size=1, max_size=12)
quick = settings(deadline=None, max_examples=40)


@quick
@given(samples)
def test_the_median_is_within_its_interval(values: list[float]) -> None:
    found = estimate(values)
    assert found.low <= found.value <= found.high
    assert found == estimate(values), "the same samples, the same interval"


@pytest.mark.parametrize("values", [[5.0], [5.0, 9.0]])
def test_one_or_two_samples_bound_nothing(values: list[float]) -> None:
    found = estimate(values)
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert not settled(values)


def test_constant_samples_have_no_width() -> None:
    found = estimate([7.0] * 5)
    assert (found.low, found.value, found.high) == (7, 7, 7)
    assert settled([7.0] * 5)
    assert settled([0.0] * 5)


def test_nothing_is_no_sample() -> None:
    with pytest.raises(ValueError, match="nothing to estimate from"):
        estimate([])


def test_samples_settle_when_they_hardly_differ() -> None:
    assert settled([100, 101, 99, 100])
    assert not settled([100, 130, 70, 100])
    assert settled([100, 108, 95, 100], half_width=0.1)


def test_the_next_repeat_stays_below_its_bound_in_95_of_100_cases() -> None:
    chance = np.random.default_rng(7)
    below = 0
    for _ in range(2000):
        middles = [0.02, 0.05, 0.2]
        groups = [chance.lognormal(np.log(middle), 0.6, 3).tolist() for middle in middles]
        below += chance.lognormal(np.log(0.02), 0.6) <= next_bounds(groups)[0]
    assert 0.935 <= below / 2000 <= 0.965


def test_repeats_that_do_not_differ_bound_themselves() -> None:
    assert next_bounds([[0.02] * 3, [0.5] * 3]) == pytest.approx([0.02, 0.5])


def test_too_few_repeats_bound_nothing() -> None:
    assert next_bounds([[0.02, 0.03]]) == [math.inf]
