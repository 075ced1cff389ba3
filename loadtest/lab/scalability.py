"""The Universal Scalability Law: what concurrency costs.

Gunther, "Guerrilla Capacity Planning", 2007.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit

FEWEST_POINTS = 4  # one more than the law has parameters
DRAWS = 4000
LEAST_COHERENCY = 1e-12  # below it, a fit has found none
Array = NDArray[np.float64]
Interval = tuple[float, float]
ANYTHING: Interval = (0.0, math.inf)


@dataclass(frozen=True)
class Scalability:
    """X(N) = λN / (1 + σ(N - 1) + κN(N - 1)): throughput per second at N connections.

    ``low`` and ``high`` bound the best N, and the intervals the other three: 95 % each. They are
    about noise alone; no interval tells whether the law holds for this system.
    """

    rate: float
    contention: float
    coherency: float
    low: float
    high: float
    rate_interval: Interval = ANYTHING
    contention_interval: Interval = ANYTHING
    coherency_interval: Interval = ANYTHING

    def throughput(self, connections: float) -> float:
        """Return X(N)."""
        return float(_law(connections, self.rate, self.contention, self.coherency))

    def service(self, connections: float) -> float:
        """Return how long a checkout takes a connection when N are busy, seconds: N / X(N)."""
        return connections / self.throughput(connections)

    @property
    def best(self) -> float:
        """The N with the highest throughput; inf where more is always better."""
        return float(_best(np.array(self.contention), np.array(self.coherency)))


def fit(points: Sequence[tuple[float, float]]) -> Scalability:
    """Fit the law to (connections, throughput) points.

    Raises ValueError with fewer than FEWEST_POINTS different numbers of connections, or with any
    that is not above zero.
    """
    values = np.asarray(points, dtype=float).reshape(-1, 2)
    if len(set(values[:, 0])) < FEWEST_POINTS:
        raise ValueError(f"not enough data: the law needs {FEWEST_POINTS} different pool sizes")
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise ValueError("expected connections and throughputs above zero")
    found, covariance = _parameters(values)
    rate, contention, coherency = map(float, found)
    if not np.isfinite(covariance).all():
        return Scalability(rate, contention, coherency, *ANYTHING)
    drawn = _drawn(found, covariance, len(values) - len(found))
    best = _best(drawn[:, 1], drawn[:, 2])
    return Scalability(
        rate, contention, coherency, *_interval(best), *(_interval(one) for one in drawn.T)
    )


def _law(n: float, rate: float, contention: float, coherency: float) -> float:
    return rate * n / (1 + contention * (n - 1) + coherency * n * (n - 1))


def _parameters(values: Array) -> tuple[Array, Array]:
    """Return λ, σ and κ by least squares, and their covariance."""
    sizes, rates = values[:, 0], values[:, 1]
    guess = ((rates / sizes).max(), 0.01, 0.0001)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # of no covariance, which fit() sees
        found: tuple[Array, Array] = curve_fit(
            _law, sizes, rates, p0=guess, bounds=([0, 0, 0], [np.inf, 1, 1]), max_nfev=5000
        )
    return found


def _drawn(found: Array, covariance: Array, freedom: int) -> Array:
    """Draw parameters from the fit's multivariate t distribution, cut at their bounds.

    Fits to points drawn again would all be the same where there are hardly more than parameters.
    """
    chance = np.random.default_rng(1)
    normal = chance.multivariate_normal(np.zeros(len(found)), covariance, DRAWS, method="eigh")
    spread = np.sqrt(freedom / chance.chisquare(freedom, DRAWS))
    drawn: Array = np.clip(found + normal * spread[:, None], [0, 0, 0], [np.inf, 1, 1])
    return drawn


def _interval(draws: Array) -> Interval:
    low, high = np.percentile(draws, (2.5, 97.5), method="nearest")
    return float(low), float(high)


def _best(contention: Array, coherency: Array) -> Array:
    """Return √((1 - σ)/κ), which is inf without coherency."""
    best: Array = np.full(np.shape(coherency), math.inf)
    np.divide(1 - contention, coherency, out=best, where=coherency > LEAST_COHERENCY)
    return np.sqrt(best)
