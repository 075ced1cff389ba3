"""How sure a median of a few repeats is, and what follows from several of them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from scipy.stats import bootstrap
from scipy.stats import t as student

CONFIDENCE = 0.95
SHORTEST = 1e-4  # seconds; shorter times are as good as none
FEWEST = 3  # repeats that an interval can be given for


@dataclass(frozen=True)
class Estimate:
    """A median with the bounds of its confidence interval (bootstrap, percentiles; Efron 1979)."""

    value: float
    low: float
    high: float


def estimate(samples: Sequence[float]) -> Estimate:
    """Return the median of *samples*; without FEWEST of them, bounds that say nothing.

    Of three to ten, the interval has the true median in 82 to 93 of 100 cases rather than 95.

    Raises ValueError without any.
    """
    if not samples:
        raise ValueError("there is nothing to estimate from")
    middle = median(samples)
    if len(samples) < FEWEST:
        return Estimate(middle, -np.inf, np.inf)
    if min(samples) == max(samples):
        return Estimate(middle, middle, middle)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of degenerate draws, which a few repeats have
        found = bootstrap(
            (np.asarray(samples),),
            np.median,
            confidence_level=CONFIDENCE,
            n_resamples=2000,
            method="percentile",
            rng=1,
        ).confidence_interval
    return Estimate(middle, float(found.low), float(found.high))


def next_bounds(groups: Sequence[Sequence[float]]) -> list[float]:
    """Return what the next repeat of each group stays below, in 95 of 100 cases.

    A one-sided prediction interval for one more observation (Hahn and Meeker 1991), of logarithms,
    as times scatter by factors; how much is taken from all groups together, since a few repeats
    of one do not tell. Infinite while there are too few.
    """
    logs = [np.log(np.maximum(group, SHORTEST)) for group in groups]
    freedom = sum(len(one) - 1 for one in logs if len(one))
    if freedom < FEWEST - 1:
        return [np.inf for _ in groups]
    squares = sum(float(((one - one.mean()) ** 2).sum()) for one in logs if len(one))
    quantile = float(student.ppf(CONFIDENCE, freedom)) * np.sqrt(squares / freedom)
    return [
        float(np.exp(one.mean() + quantile * np.sqrt(1 + 1 / len(one)))) if len(one) else np.inf
        for one in logs
    ]


def settled(samples: Sequence[float], half_width: float = 0.02) -> bool:
    """Tell whether the interval of the median is within this share of it, to each side."""
    if len(samples) < FEWEST:
        return False
    found = estimate(samples)
    if found.value == 0:
        return found.low == found.high
    return (found.high - found.low) / 2 <= half_width * abs(found.value)
