"""The same traffic against many settings of the pool: interleaved, repeated, until it is settled.

Drift of the machine hits all settings alike, because each round tries every setting once, in a
random order. A setting is tried no more once its interval is narrow.
"""

import itertools
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtest.lab.curves import growth, quantile
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.errors import LabError
from loadtest.lab.facts import bounds
from loadtest.lab.files import replace_json
from loadtest.lab.run import Run
from loadtest.lab.runner import Runner
from loadtest.lab.targets import Embedded, prepared_database
from loadtest.scenario import Scenario, Stage

FILE = "sweep.json"
TRAFFIC = "traffic.toml"
WARM_UP = 3.0  # seconds
LARGEST = 1000


@dataclass(frozen=True, order=True)
class Setting:
    """What is varied; ``pool_timeout`` in seconds."""

    pool_size: int
    max_overflow: int
    pool_timeout: float
    threads: int
    workers: int

    @property
    def limit(self) -> int:
        """Most connections of all workers."""
        return self.workers * (self.pool_size + self.max_overflow)

    @property
    def environment(self) -> dict[str, str]:
        """The application's settings."""
        return {
            "CLINIC_POOL_SIZE": str(self.pool_size),
            "CLINIC_POOL_MAX_OVERFLOW": str(self.max_overflow),
            "CLINIC_POOL_TIMEOUT": f"{self.pool_timeout:g}",
            "CLINIC_THREADS": str(self.threads),
            "CLINIC_WORKERS": str(self.workers),
        }

    def __str__(self) -> str:
        return (
            f"{self.workers} × ({self.pool_size}+{self.max_overflow}), "
            f"{self.threads} threads, pool_timeout {self.pool_timeout:g} s"
        )


@dataclass(frozen=True)
class Measurement:
    """One try of one setting. Rates per second, times in seconds.

    Attributes:
        good_share: of the requests that were due, those answered well within the deadline.
        hold: mean time that a connection was taken for one checkout, and ``holds`` how many
            took how long: (upper bound, cumulative count) of each bucket.
        wait_p95: of the time to obtain a connection; None without any.
        invalid: why it says nothing; empty otherwise.
    """

    good_share: float
    failed_share: float
    p95: float | None
    wait_p95: float | None
    wait_mean: float
    hold: float
    holds: list[tuple[float, float]]
    checkouts: float
    invalid: str = ""


@dataclass(frozen=True)
class Tried:
    """A setting with its measurements, in the order they were made."""

    setting: Setting
    measurements: list[Measurement] = field(default_factory=list)

    @property
    def valid(self) -> list[Measurement]:
        """Those that say something."""
        return [one for one in self.measurements if not one.invalid]


@dataclass(frozen=True)
class Sweep:
    """What was swept: ``rate`` arrivals per second of ``mix``, good within ``deadline`` seconds."""

    scenario: str
    rate: float
    mix: dict[str, float]
    deadline: float
    seconds: float
    started_at: str
    versions: dict[str, str]
    tried: list[Tried]
    ended_early: str = ""

    def save(self, directory: Path) -> None:
        """Write it as JSON; replace an older one only when it is complete."""
        replace_json(directory / FILE, asdict(self))

    @classmethod
    def load(cls, directory: Path) -> "Sweep":
        """Read a saved sweep; raise OSError, ValueError, KeyError or TypeError without one."""
        data: dict[str, Any] = json.loads((directory / FILE).read_text())
        data["tried"] = [
            Tried(Setting(**one["setting"]), [Measurement(**m) for m in one["measurements"]])
            for one in data["tried"]
        ]
        return cls(**data)


def grid(
    pool_size: Sequence[int],
    max_overflow: Sequence[int],
    pool_timeout: Sequence[float],
    threads: Sequence[int],
    workers: Sequence[int],
) -> list[Setting]:
    """Return every combination, sorted."""
    product = itertools.product(pool_size, max_overflow, pool_timeout, threads, workers)
    return sorted({Setting(*values) for values in product})


def numbers(text: str, least: float) -> list[int]:
    """Read a range such as ``2,4,8`` or ``2-6``.

    Raises:
        ValueError: it is none, or a number is not between *least* and LARGEST.
    """
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            found += range(int(first), int(last) + 1) if dash else [int(first)]
        except ValueError:
            raise ValueError(f"{text!r}: expected numbers such as 2,4,8 or 2-6") from None
    if not found or min(found) < least or max(found) > LARGEST:
        raise ValueError(f"{text!r}: expected numbers from {least:g} to {LARGEST}")
    return sorted(set(found))


def traffic(scenario: Scenario, rate: float | None, seconds: float) -> Scenario:
    """Return the traffic of the scenario's focus, steady, after a warm-up, without its fault."""
    stage = next(one for one in scenario.stages if one.name == scenario.focus)
    steady = replace(stage, name="measured", seconds=seconds, rate=rate or stage.last_rate, to=None)
    stages = [replace(steady, name="warm-up", seconds=WARM_UP), steady]
    return replace(scenario, stages=stages, focus="measured", marks=(), alerts=())


def measure(
    scenario: Scenario,
    settings: Sequence[Setting],
    directory: Path,
    *,
    rounds: tuple[int, int],
    seed: int,
    is_settled: Callable[[Tried], bool],
    told: Callable[[Setting, Measurement, int], None],
) -> Iterator[list[Tried]]:
    """Yield all measurements after each; between ``rounds`` of them for every setting.

    Raises:
        LabError: a setting cannot be run at all.
    """
    source = directory / TRAFFIC
    source.write_text(as_toml(scenario), encoding="utf-8")
    scenario = replace(scenario, source=str(source.resolve()))
    tried = [Tried(setting) for setting in settings]
    with prepared_database() as database:
        for number in range(rounds[1]):
            left = [one for one in tried if number < rounds[0] or not is_settled(one)]
            random.Random(seed + number).shuffle(left)  # noqa: S311 - an order, not a secret
            for one in left:
                found = _try(database, scenario, one.setting, seed + number)
                one.measurements.append(found)
                told(one.setting, found, number)
                yield tried


def _try(database: PrivateDatabase, scenario: Scenario, setting: Setting, seed: int) -> Measurement:
    settings = {**scenario.settings, **setting.environment}
    with tempfile.TemporaryDirectory() as place, Embedded(settings, database) as target:
        runner = Runner(Console(quiet=True), target, scenario, Path(place), seed=seed, calm=False)
        return measurement(runner.run())


def measurement(run: Run) -> Measurement:
    """Read what a run of :func:`traffic` measured.

    Raises:
        LabError: the application's metrics did not answer in it.
    """
    result = next(one for one in run.results if one.name == run.focus)
    begin, end = bounds(run)[run.focus]
    pools = [s.pool for s in run.samples if s.pool and begin <= s.at <= end]
    if len(pools) < 2:
        raise LabError(f"The application's metrics did not answer. {run.ended_early}")
    first, last = pools[0], pools[-1]
    uses = max(1.0, last.uses - first.uses)
    held = last.use_seconds + last.ping_seconds - first.use_seconds - first.ping_seconds
    return Measurement(
        good_share=result.good / result.requests if result.requests else 0.0,
        failed_share=result.failed_share,
        p95=result.p95,
        wait_p95=quantile(growth(first.waits, last.waits), 0.95),
        wait_mean=(last.queue_seconds - first.queue_seconds) / uses,
        hold=held / uses,
        holds=sorted(growth(first.use_times, last.use_times).items()),
        checkouts=uses / (run.stages[-1].seconds),
        invalid=run.invalid or run.ended_early,
    )


def as_toml(scenario: Scenario) -> str:
    """Return the file of a scenario's traffic and settings."""
    head = [
        f"title = {json.dumps(scenario.title)}",
        f"arrivals = {json.dumps(scenario.arrivals)}",
        f"deadline = {scenario.deadline:g}",
        f"focus = {json.dumps(scenario.focus)}",
    ]
    stages = [line for stage in scenario.stages for line in _stage_lines(stage)]
    slo = [
        "[slo]",
        f"max_fail_ratio = {scenario.slo.max_fail_ratio}",
        f"p95_ms = {scenario.slo.p95_ms}",
    ]
    return "\n".join([*head, *stages, *slo]) + "\n"


def _stage_lines(stage: Stage) -> list[str]:
    mix = ", ".join(f"{json.dumps(action)} = {weight:g}" for action, weight in stage.mix.items())
    return [
        "[[stage]]",
        f"name = {json.dumps(stage.name)}",
        f"seconds = {stage.seconds:g}",
        f"rate = {stage.rate:g}",
        f"mix = {{{mix}}}",
    ]
