"""The rehearsal as one HTML file without anything from the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from loadtest.lab.colours import COLOURS
from loadtest.lab.results import percentile
from loadtest.lab.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, Series, draw
from loadtest.records import Request


@dataclass(frozen=True)
class Phase:
    """A time of the rehearsal, and what became of the requests that were due in it; seconds."""

    name: str
    began: float
    seconds: float
    requests: int
    failed: int
    p50: float | None
    p99: float | None
    p999: float | None
    longest: float | None

    @classmethod
    def of(cls, name: str, began: float, ended: float, requests: Sequence[Request]) -> Phase:
        """The phase from *began* to *ended*, seconds since 1970."""
        found = [one for one in requests if began <= one.due < ended]
        times = sorted(one.seconds for one in found)
        shares = [percentile(times, share) for share in (0.5, 0.99, 0.999, 1.0)]
        failed = sum(not one.good for one in found)
        return cls(name, began, ended - began, len(found), failed, *shares)


def write(path: Path, result: dict[str, Any], phases: Sequence[Phase], requests: Any) -> None:
    """Write the report of *result*, as it is recorded, to *path*."""
    began = phases[0].began
    ended = phases[-1].began + phases[-1].seconds
    seconds = range(math.ceil(ended - began))
    slowest: list[float | None] = [None] * len(seconds)
    rate = [0.0] * len(seconds)
    failed = [0.0] * len(seconds)
    for one in requests:
        second = math.floor(one.due - began)
        if 0 <= second < len(seconds):
            slowest[second] = max(slowest[second] or 0.0, one.seconds * 1000)
            rate[second] += 1
            failed[second] += not one.good
    marks = [(phase.began - began, phase.name) for phase in phases]
    limit: list[float | None] = [result["limit_seconds"] * 1000] * len(seconds)
    charts = [
        Chart("The slowest request of each second", "ms",
              [Series("response p95", slowest), Series("limit", limit, "limit")]),
        Chart("Requests of each second", "1/s",
              [Series("requests", list(rate)), Series("failed", list(failed))]),
    ]  # fmt: skip
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    path.write_text(
        environment.get_template("report.html").render(
            result=result,
            phases=phases,
            charts=[(chart, draw(chart, list(seconds), {}, marks)) for chart in charts],
            colours=COLOURS,
            box=(WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM),
        ),
        encoding="utf-8",
    )
