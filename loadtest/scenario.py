"""A scenario: traffic in stages, a fault in one of them, what is promised, and what must be seen.

Each is one file, ``scenarios/NAME.toml``. ``docs/scenarios.md`` tells the format.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loadtest.slo import Slo

DIRECTORY = Path(__file__).parent / "scenarios"
PATIENTS = {"search": 6.0, "appointments": 3.0, "book": 2.0, "report": 0.2}
"""What people at the booking page ask for, by weight."""

ACTIONS = (*PATIENTS, "contact", "change_phone", "register")
"""All actions that have a name; :mod:`loadtest.actions` does them."""

REQUEST = re.compile(r"[A-Z]+ /\S*")  # such as GET /lab/hold?seconds=0.05

DEADLINE = 1.0  # seconds: after that an answer is of no use to who asked

ARRIVALS = ("poisson", "constant")
HOLDS = ("", "exponential", "fixed")


class ScenarioError(Exception):
    """A scenario does not exist or its file is not right; the message says what, and where."""


@dataclass(frozen=True)
class Stage:
    """A part of the traffic: ``rate`` requests arrive each second, ``to`` at the stage's end.

    ``mix`` is what arrives, by weight: actions of :mod:`loadtest.actions`, or ``GET /path``.
    """

    name: str
    seconds: float
    rate: float
    to: float | None = None
    mix: Mapping[str, float] = field(default_factory=lambda: PATIENTS)

    @property
    def last_rate(self) -> float:
        """The rate at its end."""
        return self.rate if self.to is None else self.to

    def rate_at(self, seconds: float) -> float:
        """The rate so many seconds after its begin."""
        return self.rate + (self.last_rate - self.rate) * seconds / self.seconds

    @property
    def arrivals(self) -> float:
        """How many requests are expected to arrive in it."""
        return (self.rate + self.last_rate) / 2 * self.seconds


@dataclass(frozen=True)
class Fault:
    """What goes wrong: ``kind`` is a key of ``loadtest.lab.faults.KINDS``.

    It is injected when the stage ``during`` begins, and undone when that, or the stage ``until``,
    ends. ``settings`` of the application are wrong from the start instead.
    """

    kind: str = ""
    during: str = ""
    until: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """One line of a fingerprint: where ``series`` must go in the stage ``during``.

    Exactly one of: ``at_least`` is reached in at least one sample; ``at_most`` is never exceeded;
    ``ends_at_most`` not by the last sample; ``times``: the median is so many times that of the
    scenario's first stage.
    """

    says: str
    series: str
    during: str
    at_least: float | None = None
    at_most: float | None = None
    ends_at_most: float | None = None
    times: float | None = None


@dataclass(frozen=True)
class Scenario:
    """A scenario as its file has it.

    Attributes:
        settings: of the application, so that the scenario means the same everywhere.
        deadline: after which an answer is of no use to who asked, seconds.
        focus: the stage that it is about.
        alerts: that must fire; None: not to be looked at.
        holds: how long connections are held: ``exponential`` or ``fixed``; empty: nobody knows.
        retries: how often a client repeats a failed request, at once.
        needs: the targets it can run on; empty: any.
        source: what to load it by in another process: its name, or the path of its file.
        beside_closed: send the same again with closed users, to show what those hide.
    """

    name: str
    title: str
    stages: Sequence[Stage]
    slo: Slo
    arrivals: str = "poisson"
    deadline: float = DEADLINE
    holds: str = ""
    retries: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = field(default_factory=Fault)
    focus: str = ""
    marks: Sequence[Mark] = ()
    alerts: Sequence[str] = ()
    needs: Sequence[str] = ()
    beside_closed: bool = False
    source: str = ""

    @property
    def seconds(self) -> float:
        """The length of its traffic."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def paths(self) -> set[str]:
        """The actions that are paths, such as ``GET /lab/hold?seconds=0.05``."""
        return {action for stage in self.stages for action in stage.mix if " " in action}

    def calm(self) -> "Scenario":
        """The same without its fault: all stages have the first one's traffic."""
        first = self.stages[0]
        stages = [replace(stage, rate=first.rate, to=None, mix=first.mix) for stage in self.stages]
        return replace(self, stages=stages, fault=Fault())

    def bounds(self, name: str) -> tuple[float, float]:
        """When the stage *name* begins and ends, seconds since the traffic began."""
        begin = 0.0
        for stage in self.stages:
            if stage.name == name:
                return begin, begin + stage.seconds
            begin += stage.seconds
        raise KeyError(name)

    @property
    def fault_bounds(self) -> tuple[float, float] | None:
        """When its fault begins and ends, seconds since the traffic began; None without one."""
        if not self.fault.kind:
            return None
        return self.bounds(self.fault.during)[0], self.bounds(self.fault.until)[1]

    def stage_at(self, seconds: float) -> Stage | None:
        """The stage at this time since the traffic began; None after the last."""
        return next((s for s in self.stages if seconds < self.bounds(s.name)[1]), None)

    def rate_at(self, seconds: float) -> float:
        """How many requests arrive each second at this time since the traffic began."""
        stage = self.stage_at(seconds)
        return stage.rate_at(seconds - self.bounds(stage.name)[0]) if stage else 0.0


def names() -> list[str]:
    """The scenarios' names, in alphabetical order."""
    return sorted(path.stem for path in DIRECTORY.glob("*.toml"))


def load(name: str) -> Scenario:
    """Read the scenario *name*, or the file of that path when it ends in ``.toml``.

    So anybody can have scenarios of their own, wherever their files are.

    Raises:
        ScenarioError: there is none, or its file is not right.
    """
    is_path = name.endswith(".toml")
    path = Path(name).resolve() if is_path else DIRECTORY / f"{name}.toml"
    try:
        content = path.read_bytes()
    except OSError:
        known = ", ".join(names())
        raise ScenarioError(f"There is no scenario {name!r}. There are: {known}.") from None
    try:
        found = parse(path.stem, tomllib.loads(content.decode()))
        return replace(found, source=str(path) if is_path else name)
    except (TypeError, KeyError, ValueError) as error:
        raise ScenarioError(f"{path.name}: {_said(error)}") from None


def parse(name: str, data: dict[str, Any]) -> Scenario:
    """Make a scenario of what its file says.

    Raises:
        TypeError, KeyError, ValueError: something is missing, unknown or does not fit.
    """
    stages = [Stage(**stage) for stage in _tables(data, "stage")]
    if not stages:
        raise KeyError("stage")
    fault, slo, marks = _table(data, "fault"), _table(data, "slo"), _tables(data, "fingerprint")
    if fault.get("kind") and not fault.get("during"):
        raise ValueError("the fault lacks `during`, the stage in which it happens")
    focus = data.pop("focus", fault.get("during") or stages[min(1, len(stages) - 1)].name)
    scenario = Scenario(
        name=name,
        stages=stages,
        slo=Slo(slo.pop("max_fail_ratio", 0.01), slo.pop("p95_ms", 1000.0), **slo),
        settings=_settings(_table(data, "settings")),
        fault=Fault(
            fault.pop("kind", ""),
            during := fault.pop("during", ""),
            fault.pop("until", during),
            settings=_settings(_table(fault, "settings")),
            arguments=fault,
        ),
        focus=focus,
        marks=[_mark(mark, focus) for mark in marks],
        **data,
    )
    _check(scenario)
    return scenario


def _table(data: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = data.pop(name, {})
    if not isinstance(found, dict):
        raise ValueError(f"expected [{name}] and its keys below")
    return found


def _tables(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data.pop(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"expected [[{name}]], once for each, and its keys below")
    return found


def _mark(data: dict[str, Any], focus: str) -> Mark:
    mark = Mark(**{"during": focus, **data})
    limits = (mark.at_least, mark.at_most, mark.ends_at_most, mark.times)
    given = [limit for limit in limits if limit is not None]
    if len(given) != 1 or not isinstance(given[0], int | float):
        raise ValueError(
            f"fingerprint {mark.says!r}: expected a number for one of at_least, at_most, "
            "ends_at_most and times"
        )
    return mark


def _settings(data: dict[str, Any]) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in data.items()
    }


def _check(scenario: Scenario) -> None:
    stages = [stage.name for stage in scenario.stages]
    if len(set(stages)) != len(stages):
        raise ValueError(f"two stages have the same name: {', '.join(stages)}")
    if scenario.arrivals not in ARRIVALS:
        raise ValueError(f"arrivals = {scenario.arrivals!r}; expected {' or '.join(ARRIVALS)}")
    if scenario.holds not in HOLDS:
        raise ValueError(f"holds = {scenario.holds!r}; expected exponential or fixed, or nothing")
    for stage in scenario.stages:
        _check_stage(stage)
    fault = scenario.fault
    during = [mark.during for mark in scenario.marks]
    for name in [scenario.focus, fault.during, fault.until, *during]:
        if name and name not in stages:
            raise ValueError(f"there is no stage {name!r}; there are {', '.join(stages)}")
    if fault.during and stages.index(fault.until) < stages.index(fault.during):
        raise ValueError(f"the fault ends with {fault.until}, before {fault.during} begins")


def _check_stage(stage: Stage) -> None:
    if not isinstance(stage.mix, Mapping):
        raise ValueError(f"stage {stage.name!r}: expected a mix such as {{search = 3, book = 1}}")
    numbers = [stage.seconds, stage.rate, stage.last_rate, *stage.mix.values()]
    if not all(isinstance(number, int | float) for number in numbers):
        raise ValueError(f"stage {stage.name!r}: expected numbers for seconds, rates and weights")
    if stage.seconds <= 0 or stage.rate < 0 or stage.last_rate < 0:
        raise ValueError(f"stage {stage.name!r}: expected seconds > 0 and rates >= 0")
    if not stage.mix or min(stage.mix.values()) <= 0:
        raise ValueError(f"stage {stage.name!r}: expected a mix of positive weights")
    for action in stage.mix:
        if action not in ACTIONS and not REQUEST.fullmatch(action):
            known = ", ".join(ACTIONS)
            raise ValueError(
                f"stage {stage.name!r}: there is no action {action!r}; expected {known}, or a "
                "request such as GET /path"
            )


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    return str(error).replace(".__init__()", "")
