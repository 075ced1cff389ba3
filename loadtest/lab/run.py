"""A recorded run: its samples, what it found, and what it ran with; read back from a directory."""

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from loadtest.lab.errors import LabError
from loadtest.lab.files import replace_json
from loadtest.lab.fingerprint import Seen
from loadtest.lab.results import StageResult
from loadtest.lab.samples import Sample
from loadtest.lab.sources import Alert
from loadtest.scenario import Stage

FILE = "run.json"


@dataclass(frozen=True)
class Run:
    """Everything that a report is made of.

    Attributes:
        source: what the scenario was loaded by, to run it again.
        traffic_began: seconds since 1970.
        began: the same, in seconds since the recording began, as the samples' times are.
        calm: whether what goes wrong was left out.
        holds: as the scenario says, for what theory predicts.
        focus: the stage that the scenario is about.
        fault: what was injected, and ``fault_bounds`` when it began and ended, seconds since the
            traffic did; both empty without one.
        results: of the open arrivals, by stage.
        closed: the same traffic by closed users, where it was sent as well.
        thresholds: by series, in its unit.
        bookings: that were answered 201; ``broken`` is what does not hold of them, None: nobody
            could be asked.
        slo: the judgement in words; ``missed`` is whether it is a bad one.
        alerts: that fired; None: nobody could be asked.
        invalid: why the numbers say nothing about the target; empty otherwise.
        ended_early: why the run did not reach its end; empty otherwise.
    """

    scenario: str
    source: str
    title: str
    target: str
    started_at: str
    seed: int
    calm: bool
    holds: str
    deadline: float
    settings: dict[str, str]
    versions: dict[str, str]
    stages: list[Stage]
    focus: str
    fault: str
    fault_bounds: list[float]
    traffic_began: float
    began: float
    samples: list[Sample]
    results: list[StageResult] = field(default_factory=list)
    closed: list[StageResult] = field(default_factory=list)
    marks: list[Seen] = field(default_factory=list)
    alerts: list[Alert] | None = None
    expected_alerts: list[str] = field(default_factory=list)
    thresholds: dict[str, float] = field(default_factory=dict)
    bookings: int = 0
    broken: list[str] | None = None
    slo: str = ""
    missed: bool = False
    invalid: str = ""
    ended_early: str = ""

    def save(self, directory: Path) -> None:
        """Write the run as JSON, from which the report can be made again.

        It replaces an older one only when it is complete. Raises OSError when it cannot be.
        """
        replace_json(directory / FILE, asdict(self))

    @classmethod
    def load(cls, directory: Path) -> "Run":
        """Read a saved run; raise OSError, ValueError, KeyError or TypeError when there is none."""
        data: dict[str, Any] = json.loads((directory / FILE).read_text())
        data["stages"] = [Stage(**stage) for stage in data["stages"]]
        data["samples"] = [Sample.from_json(sample) for sample in data["samples"]]
        for name in ("results", "closed"):
            data[name] = [StageResult(**result) for result in data[name]]
        data["marks"] = [Seen(**mark) for mark in data["marks"]]
        if data["alerts"] is not None:
            data["alerts"] = [Alert(**alert) for alert in data["alerts"]]
        return cls(**data)


def default_runs() -> Path:
    """Return where runs are kept when nobody says otherwise."""
    return Path(os.environ.get("LOADTEST_RUNS") or "runs")


def new_directory(runs: Path, name: str) -> Path:
    """Make a directory for a run of *name* that begins now.

    Raises LabError or OSError when it cannot be made.
    """
    stem = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{name}"
    directory = runs / stem
    for number in range(2, 100):
        try:
            directory.mkdir(parents=True)
            return directory
        except FileExistsError:
            directory = runs / f"{stem}-{number}"
    raise LabError(f"{runs} has too many directories named {stem}.")
