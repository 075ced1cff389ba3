"""Makes the report of a run: one HTML file without any reference to the network."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from loadtest.lab import verdict
from loadtest.lab.colours import COLOURS
from loadtest.lab.curves import Curve
from loadtest.lab.facts import Facts, bounds, facts
from loadtest.lab.run import Run
from loadtest.lab.samples import Sample
from loadtest.lab.series import SERIES
from loadtest.lab.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, Series, draw
from loadtest.lab.theory import comparisons
from loadtest.lab.waterfall import LABELS, PARTS, waterfall

NAME = "report.html"
MOST_DRAWN = 900  # samples; more would not be told apart, and the file has to stay below 1 MB
FAR = 2.0  # times the highest value of a curve
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
    shown = thinned(run.samples)
    times = [sample.at for sample in shown]
    marks = [(begin, name) for name, (begin, _) in bounds(run).items()]
    bands = {"waiting": waiting_bands(run.samples), "fault": fault_bands(run)}
    charts = [
        {**asdict(chart), "id": index, "drawing": draw(chart, times, bands, marks)}
        for index, chart in enumerate(all_charts(shown, run.thresholds))
    ]
    return template(NAME).render(
        run=run,
        facts=found,
        headline=verdict.headline(run),
        calm=not (found.most_waiting or run.ended_early or run.invalid or run.missed or run.broken),
        explanation=verdict.explanation(run),
        figures=figures(run, found),
        waterfall=waterfall(run),
        comparisons=comparisons(run),
        parts=[(part, LABELS[part]) for part in PARTS],
        silent=verdict.silent_alerts(run),
        opened=verdict.whole(run.results),
        closed=verdict.whole(run.closed),
        charts=charts,
        colours=COLOURS,
        box={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT},
        edge={"top": TOP, "bottom": HEIGHT - BOTTOM},
        data=_hover_data(times, charts),
    )


def all_charts(samples: Sequence[Sample], thresholds: Mapping[str, float]) -> list[Chart]:
    """Return the charts of the report, in reading order.

    A threshold far above its curve is told and not drawn: it would make the curve a flat line.
    """

    def curve(
        name: str, series: str | None = None, kind: str = "line", factor: float = 1
    ) -> Series:
        values = SERIES[series or name](samples)
        return Series(name, [value and value * factor for value in values], kind)

    def line(series: str) -> list[Series]:
        highest = max((value for value in SERIES[series](samples) if value), default=0.0)
        limit = thresholds.get(series)
        if limit is None or limit > FAR * highest:
            return []
        return [Series("limit", [limit * 1000] * len(samples), "limit")]

    def told(series: str) -> str:
        limit = thresholds.get(series)
        return "" if limit is None else f" Limit: {verdict.milliseconds(limit)}."

    return [
        Chart(
            "Requests",
            "per second",
            [curve("arrivals"), curve("requests"), curve("failed")],
            "Arrivals are what was due, requests what was answered. A booking is two: it searches "
            "first.",
        ),
        Chart("Requests in flight", "", [curve("in flight", kind="area")]),
        Chart(
            "Response time, 95th percentile",
            "ms",
            [curve("p95", "response p95", "area", 1000), *line("response p95")],
            f"From when a request was due, not from when it could be sent.{told('response p95')}",
        ),
        Chart(
            "Connections of all workers",
            "",
            [
                curve("in use", kind="stack"),
                curve("idle", kind="stack"),
                curve("overflow"),
                curve("limit", kind="limit"),
            ],
            "In use and idle are stacked: together they are all open connections. While threads "
            "wait, a returned connection counts as idle until the next thread has woken up.",
        ),
        Chart("Threads waiting for a connection", "", [curve("waiting", kind="area")]),
        Chart(
            "Wait for a connection, 95th percentile",
            "ms",
            [curve("waiting", "wait p95", "area", 1000), *line("wait p95")],
            "Until a thread had its connection: queueing, and opening a new one where necessary."
            f"{told('wait p95')}",
        ),
        Chart(
            "Connections opened, and failures",
            "per second",
            [curve("opened", "connects"), curve("failed", "connect failures")],
        ),
        Chart("Waits that timed out", "per second", [curve("timeouts", kind="area")]),
    ]


def figures(run: Run, found: Facts) -> list[tuple[str, str]]:
    """Return the key figures: value and label."""
    focus = next((one for one in found.stages if one.stage.name == run.focus), None)
    load = (
        [
            (f"{focus.result.requests / focus.stage.seconds:.0f}/s", f"requests in {run.focus}"),
            (f"{focus.result.goodput:.0f}/s", f"good within {run.deadline:g} s"),
            (verdict.milliseconds(focus.result.p95), f"p95 in {run.focus}"),
            (f"{focus.result.failed_share:.1%}", f"failed in {run.focus}"),
        ]
        if focus
        else []
    )
    return [
        *load,
        (f"{found.most_waiting:.0f}", "threads waiting at most"),
        (f"{found.most_overflow:.0f}", "overflow connections at most"),
        (f"{found.timeouts:.0f}", "waits timed out"),
        (f"{run.bookings:,}", "bookings acknowledged"),
    ]


def thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return the samples that are drawn: of a long run one in so many, and the last.

    What grows keeps its mean rate between them. Sentences and tables are of all samples.
    """
    every = -(-len(samples) // MOST_DRAWN)
    return samples if every <= 1 else [*samples[:-1:every], samples[-1]]


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


def fault_bands(run: Run) -> list[tuple[float, float]]:
    """Return the times (begin, end) during which something was broken on purpose."""
    if not run.fault_bounds:
        return []
    begin, end = run.fault_bounds
    return [(run.began + begin, run.began + end)]


def _hover_data(times: Sequence[float], charts: Sequence[dict[str, Any]]) -> str:
    """Return the values as JSON that may stand inside a script element."""
    values = [[_rounded(one["values"]) for one in chart["series"]] for chart in charts]
    return json.dumps({"times": times, "charts": values}).replace("<", "\\u003c")


def _rounded(curve: Curve) -> Curve:
    return [None if value is None else round(value, 1) for value in curve]


def template(name: str) -> Template:
    """Return one of the templates of this directory."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["milliseconds"] = verdict.milliseconds
    return environment.get_template(name)
