"""The Universal Scalability Law: what concurrency costs.

Gunther, "Guerrilla Capacity Planning", 2007.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit

FEWEST_POINTS = 4  # one more than the law has parameters
DRAWS = 200


@dataclass(frozen=True)
class Scalability:
    """X(N) = λN / (1 + σ(N - 1) + κN(N - 1)): throughput per second at N connections.

    ``low`` and ``high`` bound the best N in 95 of 100 fits to points drawn again.
    """

    rate: float
    contention: float
    coherency: float
    low: float
    high: float

    def throughput(self, connections: float) -> float:
        """Return X(N)."""
        return float(_law(connections, self.rate, self.contention, self.coherency))

    def service(self, connections: float) -> float:
        """Return how long a checkout takes a connection when N are busy, seconds: N / X(N)."""
        return connections / self.throughput(connections)

    @property
    def best(self) -> float:
        """The N with the highest throughput; inf where more is always better."""
        return _best(self.contention, self.coherency)


def fit(points: Sequence[tuple[float, float]]) -> Scalability:
    """Fit the law to (connections, throughput) points.

    Raises ValueError with fewer than FEWEST_POINTS different numbers of connections.
    """
    if len({connections for connections, _ in points}) < FEWEST_POINTS:
        raise ValueError(f"not enough data: the law needs {FEWEST_POINTS} different pool sizes")
    values = np.asarray(points, dtype=float)
    rate, contention, coherency = _parameters(values)
    chance = np.random.default_rng(1)
    bests = []
    for _ in range(DRAWS):
        drawn = values[chance.integers(len(values), size=len(values))]
        if len(set(drawn[:, 0])) >= FEWEST_POINTS:
            bests.append(_best(*_parameters(drawn)[1:]))
    low, high = np.percentile(bests, (2.5, 97.5), method="nearest") if bests else (0, math.inf)
    return Scalability(rate, contention, coherency, float(low), float(high))


def _law(n: float, rate: float, contention: float, coherency: float) -> float:
    return rate * n / (1 + contention * (n - 1) + coherency * n * (n - 1))


def _parameters(values: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> tuple[float, ...]:
    sizes, rates = values[:, 0], values[:, 1]
    guess = (rates[0] / sizes[0], 0.01, 0.0001)
    bounds = ([0, 0, 0], [np.inf, 1, 1])
    found, _ = curve_fit(_law, sizes, rates, p0=guess, bounds=bounds, max_nfev=5000)
    return tuple(map(float, found))


def _best(contention: float, coherency: float) -> float:
    return math.sqrt((1 - contention) / coherency) if coherency > 1e-12 else math.inf
