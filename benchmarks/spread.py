"""A median, and how far what it is the median of lies apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, comb
from statistics import median


@dataclass(frozen=True)
class Spread:
    """The median of some values between two bounds: percentiles, or of its confidence."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def percentiles(values: Sequence[float], low: float = 0.1, high: float = 0.9) -> Spread:
    """The median of *values* between two of their percentiles."""
    return Spread(median(values), percentile(values, low), percentile(values, high))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least *share* of *values* do not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def interval(values: Sequence[float], confidence: float = 0.95) -> Spread:
    """The median of *values* with its interval of *confidence*, by order statistics.

    It supposes nothing of how the values are distributed: each is below the true median or above
    it, as a coin falls.
    """
    ranked = sorted(values)
    beyond = _ranks_beyond(len(ranked), (1 - confidence) / 2)
    return Spread(median(ranked), ranked[beyond], ranked[-1 - beyond])


def _ranks_beyond(count: int, share: float) -> int:
    """How many of *count* values lie outside at each end, with a probability of *share* at most."""
    outside, probability = 0, 0.5**count
    while (probability := probability + comb(count, outside + 1) * 0.5**count) <= share:
        outside += 1
    return outside
