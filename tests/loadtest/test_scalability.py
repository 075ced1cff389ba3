from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.lab.scalability import ANYTHING, Scalability, fit

SIZES = (1, 2, 4, 8, 16, 32, 64)
LAW = Scalability(1000, 0.05, 0.001, 0, 0)

HIKARI = [(8, 27254), (16, 35032), (24, 39034), (32, 39304), (48, 39195), (96, 37806)]
"""Operations per second: readMostly with HikariCP, vladmihalcea/connection-pool-auto-scaling."""


def points(law: Scalability, noise: float = 0.0, seed: int = 1) -> list[tuple[float, float]]:
    errors = np.random.default_rng(seed).normal(0, noise, len(SIZES))
    return [(n, law.throughput(n) * (1 + e)) for n, e in zip(SIZES, errors, strict=True)]


@settings(deadline=None, max_examples=25)
@given(st.floats(10, 5000), st.floats(0.01, 0.4), st.floats(1e-4, 0.01))
def test_the_fit_finds_what_made_the_points(rate: float, contention: float, kappa: float) -> None:
    found = fit(points(Scalability(rate, contention, kappa, 0, 0)))
    assert found.rate == pytest.approx(rate, rel=0.01)
    assert found.contention == pytest.approx(contention, rel=0.01, abs=1e-4)
    assert found.coherency == pytest.approx(kappa, rel=0.01)
    assert found.best == pytest.approx(math.sqrt((1 - contention) / kappa), rel=0.01)


def test_noise_stays_within_the_intervals() -> None:
    found = fit(points(LAW, noise=0.03))
    assert found.low < LAW.best < found.high
    assert found.rate_interval[0] < LAW.rate < found.rate_interval[1]
    assert found.contention_interval[0] < LAW.contention < found.contention_interval[1]
    assert found.coherency_interval[0] < LAW.coherency < found.coherency_interval[1]


def test_more_noise_makes_wider_intervals() -> None:
    calm, noisy = fit(points(LAW, noise=0.01)), fit(points(LAW, noise=0.05))
    assert noisy.high - noisy.low > calm.high - calm.low


def test_four_points_are_not_taken_for_certain() -> None:
    errors = (1.03, 0.96, 1.04, 0.97)
    few = [(n, LAW.throughput(n) * e) for n, e in zip((2, 8, 32, 64), errors, strict=True)]
    found = fit(few)
    assert found.low < LAW.best < found.high
    assert found.high - found.low > 10


def test_the_intervals_hold_as_often_as_they_say() -> None:
    found = [fit(points(LAW, noise=0.03, seed=seed)) for seed in range(100)]
    assert sum(one.low <= LAW.best <= one.high for one in found) >= 80


def test_without_coherency_more_is_always_better() -> None:
    law = Scalability(100, 0.1, 0, *ANYTHING)
    assert law.best == math.inf
    assert fit(points(law)).high == math.inf


def test_a_checkout_takes_longer_the_more_are_busy() -> None:
    assert LAW.service(1) == pytest.approx(1 / LAW.rate)
    assert LAW.service(32) == pytest.approx(32 / LAW.throughput(32))
    assert LAW.service(64) > LAW.service(32) > LAW.service(1)


def test_a_published_plateau_has_a_best_size_that_is_far_from_sure() -> None:
    found = fit(HIKARI)
    assert round(found.best) == 46
    assert found.low < 40
    assert found.high > 55


@pytest.mark.parametrize("few", [[], [(1, 10.0)], [(1, 10.0), (2, 19.0), (4, 30.0)] * 3])
def test_too_few_sizes_are_told(few: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="not enough data: the law needs 4 different pool sizes"):
        fit(few)


@pytest.mark.parametrize("bad", [(8, 0.0), (0, 10.0), (8, math.nan), (8, math.inf)])
def test_a_point_that_is_none_is_told(bad: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        fit([*points(LAW), bad])
