"""What differs between two runs of one scenario, and whether that is more than noise.

Requests of one second share their fate, so whole seconds are drawn again and again (a block
bootstrap; Künsch, "The Jackknife and the Bootstrap for General Stationary Observations", 1989), and
not single requests, which would make every difference look certain. What differs from one run to
the next by itself is not in two runs: repeat them where a difference is small.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from loadtest.lab.errors import LabError
from loadtest.lab.results import percentile
from loadtest.lab.run import Run
from loadtest.lab.targets import REQUESTS
from loadtest.records import Request, requests

DRAWS = 400
CONFIDENCE = 0.95
Seconds = Sequence[Sequence[Request]]
"""The requests that were due in each second."""


@dataclass(frozen=True)
class Difference:
    """One figure of one stage in both runs, and the interval of its difference."""

    stage: str
    figure: str
    unit: str
    first: float
    second: float
    low: float
    high: float

    @property
    def is_noise(self) -> bool:
        """Whether no difference is shown: the interval has zero in it."""
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class Comparison:
    """Two runs of one scenario: what they ran with, where that differs, and what came of it."""

    scenario: str
    settings: list[tuple[str, str, str]]
    differences: list[Difference]


def compare(first: Path, second: Path) -> Comparison:
    """Compare the runs in two directories.

    Raises:
        LabError: one holds no run, or they are not of one scenario.
    """
    runs = [_load(directory) for directory in (first, second)]
    if runs[0].scenario != runs[1].scenario:
        raise LabError(
            f"{first} is a run of {runs[0].scenario}, {second} of {runs[1].scenario}: only runs "
            "of one scenario can be compared."
        )
    blocks = [_seconds_by_stage(*one) for one in zip(runs, (first, second), strict=True)]
    return Comparison(
        runs[0].scenario,
        _changed(_context(runs[0]), _context(runs[1])),
        [
            difference
            for stage, seconds in blocks[0].items()
            if stage in blocks[1] and any(seconds) and any(blocks[1][stage])
            for difference in _differences(stage, seconds, blocks[1][stage])
        ],
    )


def sentence(one: Difference) -> str:
    """Return a difference in words."""
    what = f"{one.stage}: {one.figure} {_number(one.first)} and {_number(one.second)} {one.unit}"
    interval = f"difference {one.low:+.3g} to {one.high:+.3g}"
    return f"{what.strip()} ({interval}): {'no difference shown' if one.is_noise else 'differs'}"


def _load(directory: Path) -> Run:
    try:
        return Run.load(directory)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{directory} holds no recorded run that can be read: {error}") from error


def _context(run: Run) -> dict[str, str]:
    """Return what a run's figures depend on."""
    own = {"target": run.target, "seed": str(run.seed), "calm": str(run.calm)}
    return {**own, **run.settings, **run.versions}


def _changed(first: Mapping[str, str], second: Mapping[str, str]) -> list[tuple[str, str, str]]:
    names = sorted({*first, *second})
    found = [(name, first.get(name, ""), second.get(name, "")) for name in names]
    return [one for one in found if one[1] != one[2]]


def _seconds_by_stage(run: Run, directory: Path) -> dict[str, Seconds]:
    """Return the requests of each stage, second by second; by when they were due."""
    everything = sorted(requests(directory / REQUESTS), key=lambda one: one.due)
    if not everything:
        raise LabError(f"{directory / REQUESTS} has no requests: they cannot be compared.")
    found: dict[str, Seconds] = {}
    begin = run.traffic_began
    for stage in run.stages:
        seconds: list[list[Request]] = [[] for _ in range(max(1, int(stage.seconds)))]
        for one in everything:
            index = int(one.due - begin)
            if begin <= one.due and index < len(seconds):
                seconds[index].append(one)
        found[stage.name] = seconds
        begin += stage.seconds
    return found


FIGURES = {"good answers": "/s", "failed": "%", "p50": "ms", "p95": "ms", "p99": "ms"}


def _values(seconds: Seconds) -> list[float]:
    """Return the FIGURES of these seconds."""
    found = list(chain.from_iterable(seconds))
    ordered = sorted(one.seconds for one in found)
    good = sum(one.good for one in found)
    times = [(percentile(ordered, share) or 0.0) * 1000 for share in (0.5, 0.95, 0.99)]
    failed = (1 - good / len(found)) * 100 if found else 0.0
    return [good / len(seconds), failed, *times]


def _differences(stage: str, first: Seconds, second: Seconds) -> list[Difference]:
    chance = random.Random(1)  # noqa: S311 - the same answer for the same runs

    def drawn(seconds: Seconds) -> list[float]:
        return _values(chance.choices(seconds, k=len(seconds)))

    draws = [
        [b - a for a, b in zip(drawn(first), drawn(second), strict=True)] for _ in range(DRAWS)
    ]
    tail = round((1 - CONFIDENCE) / 2 * DRAWS)
    found = []
    for (figure, unit), a, b, changes in zip(
        FIGURES.items(), _values(first), _values(second), zip(*draws, strict=True), strict=True
    ):
        ordered = sorted(changes)
        found.append(Difference(stage, figure, unit, a, b, ordered[tail], ordered[-1 - tail]))
    return found


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
