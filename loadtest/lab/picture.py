"""A run as one picture: who asked, what the pool did, who waited, and how long it took."""

from loadtest.lab import report
from loadtest.lab.colours import COLOURS
from loadtest.lab.facts import bounds
from loadtest.lab.run import Run
from loadtest.lab.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw

CHARTS = (
    "Requests",
    "Connections of all workers",
    "Threads waiting for a connection",
    "Response time, 95th percentile",
)
HEAD = 30.0  # above each chart, for its title


def render(run: Run) -> str:
    """Return a run's charts as one SVG, for light and dark ground."""
    shown = report.thinned(run.samples)
    times = [sample.at for sample in shown]
    marks = [(begin, name) for name, (begin, _) in bounds(run).items()]
    bands = {
        "waiting": report.waiting_bands(run.samples),
        "fault": report.fault_bands(run),
    }
    found = {chart.title: chart for chart in report.all_charts(shown, run.thresholds)}
    charts = [(found[title], draw(found[title], times, bands, marks)) for title in CHARTS]
    return report.template("picture.svg").render(
        run=run,
        charts=charts,
        colours=COLOURS,
        step=HEIGHT + HEAD,
        head=HEAD,
        box=(WIDTH, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM, HEIGHT),
    )
