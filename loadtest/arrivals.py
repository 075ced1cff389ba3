"""When requests are due: an open schedule, made before anybody answers.

Closed users wait for an answer before they ask again, so a server that stalls is asked less, and
what it did to everybody else is never measured ("coordinated omission"; Schroeder, Wierman and
Harchol-Balter, "Open Versus Closed: A Cautionary Tale", NSDI 2006).
"""

import math
import random
from collections.abc import Iterator, Sequence

from loadtest.scenario import Stage


def due_times(
    stages: Sequence[Stage], arrivals: str, seed: int, share: float = 1.0
) -> Iterator[tuple[float, Stage]]:
    """Yield when each request is due, seconds since the begin, and the stage it belongs to.

    Args:
        arrivals: ``poisson``, or ``constant`` for even distances.
        seed: the same seed gives the same times.
        share: of the stages' rates, for one of several generators.
    """
    chance = random.Random(seed)  # noqa: S311 - traffic, not secrets
    begin, expected = 0.0, 0.0
    # In units of expected arrivals a Poisson process has rate 1, whatever the stages' rates are.
    due = chance.expovariate(1.0) if arrivals == "poisson" else chance.random()
    for stage in stages:
        while due < expected + stage.arrivals * share:
            yield begin + _seconds_until(stage, (due - expected) / share), stage
            due += chance.expovariate(1.0) if arrivals == "poisson" else 1.0
        expected += stage.arrivals * share
        begin += stage.seconds


def _seconds_until(stage: Stage, arrivals: float) -> float:
    """Return after which time in *stage* so many arrivals are expected: r t + s t²/2 = n."""
    if not arrivals:
        return 0.0
    slope = (stage.last_rate - stage.rate) / stage.seconds
    root = math.sqrt(max(0.0, stage.rate**2 + 2 * slope * arrivals))
    return 2 * arrivals / (stage.rate + root)
