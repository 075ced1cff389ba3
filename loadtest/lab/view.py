"""The live view of a run in the terminal: one calm screen, or plain lines without a terminal."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadtest.lab.colours import COLOURS
from loadtest.lab.curves import Curve
from loadtest.lab.samples import Sample
from loadtest.lab.series import SERIES
from loadtest.scenario import Scenario

BLOCKS = "▁▂▃▄▅▆▇█"
MOST_COLUMNS = 60  # of a sparkline
PLAIN_EVERY = 5.0  # seconds between two plain lines


@dataclass(frozen=True)
class Row:
    """One measured thing: its label, which names its colour, its series, and its unit."""

    label: str
    series: str
    unit: str = ""
    factor: float = 1.0

    def curve(self, samples: Sequence[Sample]) -> Curve:
        """Return its values in its unit."""
        return [value and value * self.factor for value in SERIES[self.series](samples)]


LOAD = (
    Row("in flight", "in flight"),
    Row("requests", "requests", "/s"),
    Row("failed", "failed", "/s"),
    Row("p95", "response p95", " ms", 1000),
)
POOL = (
    Row("in use", "in use"),
    Row("idle", "idle"),
    Row("overflow", "overflow"),
    Row("waiting", "waiting"),
    Row("timeouts", "timeouts", "/s"),
)


class View:
    """Shows samples as they come; use as ``with view.shown(): view.update(samples, began)``."""

    def __init__(self, console: Console, title: str, scenario: Scenario) -> None:
        self._console = console
        self._title = title
        self._scenario = scenario
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._printed = 0

    def shown(self) -> AbstractContextManager[object]:
        """Return the context in which the view is on the screen."""
        return self._live or nullcontext()

    def update(self, samples: Sequence[Sample], began: float) -> None:
        """Show the newest sample and what led to it; the traffic *began* at this time of theirs."""
        if not samples:
            return
        seconds = max(0.0, samples[-1].at - began)
        if self._live:
            self._live.update(self._screen(samples, seconds), refresh=True)
        elif seconds // PLAIN_EVERY > self._printed:
            self._printed = int(seconds // PLAIN_EVERY)
            line = plain_line(samples, seconds, self._stage_name(seconds))
            self._console.print(line, soft_wrap=True)

    def _screen(self, samples: Sequence[Sample], seconds: float) -> RenderableType:
        now = samples[-1]
        limit = f" (limit {now.pool.maximum:.0f})" if now.pool else ""
        columns = max(10, min(MOST_COLUMNS, self._console.width - 42))
        body = Group(
            self._header(seconds),
            Text(),
            _table("Load", LOAD, samples, columns),
            Text(),
            _table(f"Connections of all workers{limit}", POOL, samples, columns),
        )
        return Panel(body, title=self._title, box=box.ROUNDED, padding=(1, 2), expand=False)

    def _header(self, seconds: float) -> RenderableType:
        total = self._scenario.seconds
        header = Table.grid(padding=(0, 2))
        header.add_row(
            Text(self._stage_name(seconds), style="bold"),
            ProgressBar(total=total, completed=min(seconds, total), width=40),
            Text(f"{max(0.0, total - seconds):.0f} s left", style="dim"),
        )
        return header

    def _stage_name(self, seconds: float) -> str:
        stage = self._scenario.stage_at(seconds)
        return stage.name if stage else "finishing"


def plain_line(samples: Sequence[Sample], seconds: float, stage: str) -> str:
    """Return the newest sample as one line."""
    parts = [f"{row.label} {number(row.curve(samples)[-1])}{row.unit}" for row in (*LOAD, *POOL)]
    return f"{seconds:4.0f} s  {stage:<9} " + "  ".join(parts)


def sparkline(curve: Curve, columns: int) -> str:
    """Return the end of a curve as blocks, scaled to its highest value; gaps stay blank."""
    top = max((value for value in curve if value is not None), default=0.0) or 1.0
    return "".join(
        " " if value is None else BLOCKS[round(value / top * (len(BLOCKS) - 1))]
        for value in curve[-columns:]
    )


def number(value: float | None) -> str:
    """Return a measured value for the eye; a dash when there is none."""
    return "-" if value is None else f"{value:,.0f}"


def _table(title: str, rows: Sequence[Row], samples: Sequence[Sample], columns: int) -> Table:
    table = Table.grid(padding=(0, 1))
    table.title = title
    table.title_justify = "left"
    table.title_style = "dim"
    table.add_column(width=9)
    table.add_column(width=9, justify="right")
    table.add_column(width=columns, no_wrap=True)
    table.add_column(width=10, justify="right", style="dim")
    for row in rows:
        curve = row.curve(samples)
        highest = max((value for value in curve if value is not None), default=None)
        colour = COLOURS[row.label].dark
        table.add_row(
            row.label,
            Text(f"{number(curve[-1])}{row.unit}", style=f"bold {colour}"),
            Text(sparkline(curve, columns), style=colour),
            f"max {number(highest)}",
        )
    return table
