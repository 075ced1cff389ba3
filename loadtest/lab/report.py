"""Makes the report of a run: one HTML file without any reference to the network.

``python -m loadtest.lab.report runs/DIRECTORY`` makes it again from the saved run.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from loadtest.lab import curves, verdict
from loadtest.lab.colours import COLOURS
from loadtest.lab.facts import Facts, bounds, facts
from loadtest.lab.run import Run
from loadtest.lab.samples import Sample
from loadtest.lab.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, Series, draw

NAME = "report.html"
TEMPLATES = Path(__file__).parent / "templates"


def write(run: Run, directory: Path) -> Path:
    """Write the report into ``directory`` and return its path.

    Raises ValueError when the run has nothing to report.
    """
    path = directory / NAME
    path.write_text(render(run), encoding="utf-8")
    return path


def render(run: Run) -> str:
    """Return the report as HTML."""
    found = facts(run)
    times = [sample.at for sample in run.samples]
    marks = [(begin, name) for name, (begin, _) in bounds(run).items()]
    bands = waiting_bands(run.samples)
    charts = [
        {**asdict(chart), "id": index, "drawing": draw(chart, times, bands, marks)}
        for index, chart in enumerate(all_charts(run.samples))
    ]
    return _template().render(
        run=run,
        facts=found,
        headline=verdict.headline(found),
        calm=not found.most_waiting and not run.ended_early,
        explanation=verdict.explanation(run, found),
        figures=figures(run, found),
        charts=charts,
        colours=COLOURS,
        box={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT},
        edge={"top": TOP, "bottom": HEIGHT - BOTTOM},
        data=_hover_data(times, charts),
    )


def all_charts(samples: Sequence[Sample]) -> list[Chart]:
    """Return the charts of the report, in reading order."""
    latencies = [sample.load.latencies if sample.load else None for sample in samples]
    waits = [sample.pool.waits if sample.pool else None for sample in samples]
    return [
        Chart("Users", "", [Series("users", curves.of_load(samples, lambda s: s.users), "area")]),
        Chart(
            "Requests",
            "per second",
            [
                Series("requests", _rate_of_load(samples, "requests")),
                Series("failed", _rate_of_load(samples, "failures")),
            ],
        ),
        Chart(
            "Response time, 95th percentile",
            "ms",
            [Series("p95", _milliseconds(curves.percentile(latencies, 0.95)), "area")],
        ),
        Chart(
            "Connections of all workers",
            "",
            [
                Series("in use", curves.of_pool(samples, lambda s: s.in_use), "stack"),
                Series("idle", curves.of_pool(samples, lambda s: s.idle), "stack"),
                Series("overflow", curves.of_pool(samples, lambda s: s.overflow)),
                Series("limit", curves.of_pool(samples, lambda s: s.maximum), "limit"),
            ],
            "In use and idle are stacked: together they are all open connections. While threads "
            "wait, a returned connection counts as idle until the next thread has woken up.",
        ),
        Chart(
            "Threads waiting for a connection",
            "",
            [Series("waiting", curves.of_pool(samples, lambda s: s.waiting), "area")],
        ),
        Chart(
            "Wait for a connection, 95th percentile",
            "ms",
            [Series("waiting", _milliseconds(curves.percentile(waits, 0.95)), "area")],
            "Until a thread had its connection: queueing, and opening a new one where necessary.",
        ),
        Chart(
            "Waits that timed out",
            "per second",
            [Series("timeouts", _timeouts(samples), "area")],
        ),
    ]


def figures(run: Run, found: Facts) -> list[tuple[str, str]]:
    """Return the key figures: value and label."""
    busiest = max(found.stages, key=lambda stage: stage.users, default=None)
    load = (
        [
            (f"{busiest.users}", "users at the peak"),
            (f"{busiest.requests_per_second:.0f}/s", "requests at the peak"),
            (verdict.milliseconds(busiest.p95), "p95 at the peak"),
            (f"{busiest.failed_share:.1%}", "failed at the peak"),
        ]
        if busiest
        else []
    )
    return [
        *load,
        (f"{found.most_waiting:.0f}", "threads waiting at most"),
        (f"{found.most_overflow:.0f}", "overflow connections at most"),
        (f"{found.timeouts:.0f}", "waits timed out"),
        (f"{run.bookings:,}", "bookings acknowledged"),
    ]


def waiting_bands(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Return the times (begin, end) during which threads waited."""
    bands: list[tuple[float, float]] = []
    before = 0.0
    for sample in samples:
        if sample.pool and sample.pool.waiting:
            joined = bands and bands[-1][1] == before
            bands[-1:] = (
                [(bands[-1][0], sample.at)] if joined else [*bands[-1:], (before, sample.at)]
            )
        before = sample.at
    return bands


def _rate_of_load(samples: Sequence[Sample], counter: str) -> curves.Curve:
    return curves.rate(samples, curves.of_load(samples, lambda load: getattr(load, counter)))


def _timeouts(samples: Sequence[Sample]) -> curves.Curve:
    return curves.rate(samples, curves.of_pool(samples, lambda pool: pool.timeouts))


def _milliseconds(curve: curves.Curve) -> curves.Curve:
    return [None if value is None else value * 1000 for value in curve]


def _hover_data(times: Sequence[float], charts: Sequence[dict[str, Any]]) -> str:
    """Return the values as JSON that may stand inside a script element."""
    values = [[_rounded(one["values"]) for one in chart["series"]] for chart in charts]
    return json.dumps({"times": times, "charts": values}).replace("<", "\\u003c")


def _rounded(curve: curves.Curve) -> curves.Curve:
    return [None if value is None else round(value, 1) for value in curve]


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["milliseconds"] = verdict.milliseconds
    return environment.get_template("report.html")


def main(arguments: list[str]) -> int:
    """Make the report again; return 2 when the directory holds no run."""
    try:
        (directory,) = (Path(argument) for argument in arguments)
        path = write(Run.load(directory), directory)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"usage: python -m loadtest.lab.report RUN_DIRECTORY ({error})\n")
        return 2
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
