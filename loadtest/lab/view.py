"""The live view of a run in the terminal: one calm screen, or plain lines without a terminal."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadtest.lab import curves
from loadtest.lab.colours import COLOURS
from loadtest.lab.curves import Curve
from loadtest.lab.samples import Sample, load_start
from loadtest.stages import Stage, duration, stage_at

BLOCKS = "▁▂▃▄▅▆▇█"
MOST_COLUMNS = 60  # of a sparkline
PLAIN_EVERY = 5  # samples between two plain lines


@dataclass(frozen=True)
class Row:
    """One measured thing: its label, its colour's name, its curve and its unit."""

    label: str
    colour: str
    curve: Callable[[Sequence[Sample]], Curve]
    unit: str = ""


def _latency(samples: Sequence[Sample]) -> Curve:
    buckets = [sample.load.latencies if sample.load else None for sample in samples]
    return [value and value * 1000 for value in curves.percentile(buckets, 0.95)]


LOAD = (
    Row("users", "users", lambda s: curves.of_load(s, lambda load: load.users)),
    Row(
        "requests",
        "requests",
        lambda s: curves.rate(s, curves.of_load(s, lambda load: load.requests)),
        "/s",
    ),
    Row(
        "failed",
        "failed",
        lambda s: curves.rate(s, curves.of_load(s, lambda load: load.failures)),
        "/s",
    ),
    Row("p95", "p95", _latency, " ms"),
)
POOL = (
    Row("in use", "in use", lambda s: curves.of_pool(s, lambda pool: pool.in_use)),
    Row("idle", "idle", lambda s: curves.of_pool(s, lambda pool: pool.idle)),
    Row("overflow", "overflow", lambda s: curves.of_pool(s, lambda pool: pool.overflow)),
    Row("waiting", "waiting", lambda s: curves.of_pool(s, lambda pool: pool.waiting)),
    Row("timeouts", "timeouts", lambda s: curves.of_pool(s, lambda pool: pool.timeouts)),
)


class View:
    """Shows samples as they come; use as ``with view.shown(): view.update(samples)``."""

    def __init__(self, console: Console, title: str, stages: Sequence[Stage]) -> None:
        self._console = console
        self._title = title
        self._stages = stages
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._printed = 0

    def shown(self) -> AbstractContextManager[object]:
        """Return the context in which the view is on the screen."""
        return self._live or nullcontext()

    def update(self, samples: Sequence[Sample]) -> None:
        """Show the newest sample and what led to it."""
        if not samples:
            return
        if self._live:
            self._live.update(self._screen(samples), refresh=True)
        elif len(samples) // PLAIN_EVERY > self._printed:
            self._printed = len(samples) // PLAIN_EVERY
            line = plain_line(samples, self._stage_name(elapsed(samples)))
            self._console.print(line, soft_wrap=True)

    def _screen(self, samples: Sequence[Sample]) -> RenderableType:
        now = samples[-1]
        limit = f" (limit {now.pool.maximum:.0f})" if now.pool else ""
        columns = max(10, min(MOST_COLUMNS, self._console.width - 42))
        body = Group(
            self._header(elapsed(samples)),
            Text(),
            _table("Load", LOAD, samples, columns),
            Text(),
            _table(f"Connections of all workers{limit}", POOL, samples, columns),
        )
        return Panel(body, title=self._title, box=box.ROUNDED, padding=(1, 2), expand=False)

    def _header(self, seconds: float) -> RenderableType:
        total = duration(self._stages)
        header = Table.grid(padding=(0, 2))
        header.add_row(
            Text(self._stage_name(seconds), style="bold"),
            ProgressBar(total=total, completed=min(seconds, total), width=40),
            Text(f"{seconds:.0f} of {total:.0f} s", style="dim"),
        )
        return header

    def _stage_name(self, seconds: float) -> str:
        stage = stage_at(self._stages, seconds)
        return stage.name if stage else "finishing"


def elapsed(samples: Sequence[Sample]) -> float:
    """Return the seconds since the load began."""
    return samples[-1].at - load_start(samples)


def plain_line(samples: Sequence[Sample], stage: str) -> str:
    """Return the newest sample as one line."""
    parts = [f"{row.label} {number(row.curve(samples)[-1])}{row.unit}" for row in (*LOAD, *POOL)]
    return f"{elapsed(samples):4.0f} s  {stage:<9} " + "  ".join(parts)


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
        colour = COLOURS[row.colour].dark
        table.add_row(
            row.label,
            Text(f"{number(curve[-1])}{row.unit}", style=f"bold {colour}"),
            Text(sparkline(curve, columns), style=colour),
            f"max {number(highest)}",
        )
    return table
