from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.lab.statistics import estimate, settled

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
