"""A recorded run: its samples, and what it ran with; a directory it can be read back from."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtest.lab.samples import Sample
from loadtest.stages import Stage

FILE = "run.json"


@dataclass(frozen=True)
class Run:
    """Everything that a report is made of.

    ``ended_early`` says why a run did not reach its end, ``slo`` what the load's own judgement
    was; both are empty otherwise.
    """

    profile: str
    started_at: str
    settings: dict[str, str]
    versions: dict[str, str]
    stages: list[Stage]
    samples: list[Sample]
    bookings: int = 0
    slo: str = ""
    ended_early: str = ""

    def save(self, directory: Path) -> None:
        """Write the run as JSON, from which the report can be made again."""
        (directory / FILE).write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, directory: Path) -> "Run":
        """Read a saved run; raise OSError or ValueError when there is none."""
        data: dict[str, Any] = json.loads((directory / FILE).read_text())
        data["stages"] = [Stage(**stage) for stage in data["stages"]]
        data["samples"] = [Sample.from_json(sample) for sample in data["samples"]]
        return cls(**data)
