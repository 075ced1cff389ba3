"""Charts as inline SVG: curves over time on one scale each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from loadtest.lab.curves import Curve

WIDTH, HEIGHT = 960.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 12.0, 10.0, 24.0


@dataclass(frozen=True)
class Series:
    """A curve with its name, which is also the name of its colour.

    ``kind`` is ``line``, ``area`` (filled), ``stack`` (filled, on top of the stack before it) or
    ``limit`` (dashed).
    """

    name: str
    values: Curve
    kind: str = "line"


@dataclass(frozen=True)
class Chart:
    """One question, its unit, the curves that answer it, and a note below."""

    title: str
    unit: str
    series: list[Series]
    note: str = ""
    digits: int = 0


@dataclass
class Drawing:
    """A chart as shapes in a box of WIDTH times HEIGHT."""

    paths: list[tuple[str, str, str]] = field(default_factory=list)  # kind, name, path data
    rows: list[tuple[float, str]] = field(default_factory=list)  # y, label
    columns: list[tuple[float, str]] = field(default_factory=list)  # x, label
    bands: list[tuple[str, float, float]] = field(default_factory=list)  # name, x, width
    marks: list[tuple[float, str]] = field(default_factory=list)  # x, label


class Scale:
    """Places times and values in the box; ``top`` is the value at the upper edge."""

    def __init__(self, seconds: float, highest: float) -> None:
        self.seconds = max(seconds, 1.0)
        self.step = nice_step(highest)
        # A little air above the highest curve, for what is written there.
        self.top = self.step * max(1, -(-highest * 1.02 // self.step))

    def x(self, seconds: float) -> float:
        """Return the column of a time."""
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / self.seconds

    def y(self, value: float) -> float:
        """Return the row of a value."""
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.top


def nice_step(highest: float) -> float:
    """Return the distance between grid lines: 1, 2 or 5 times a power of ten, about four."""
    if highest <= 0:
        return 1.0
    raw, power = highest / 4, 1.0
    while power * 10 <= raw:
        power *= 10
    while power > raw:
        power /= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)


def draw(
    chart: Chart,
    times: Sequence[float],
    bands: Mapping[str, Sequence[tuple[float, float]]],
    marks: Sequence[tuple[float, str]],
) -> Drawing:
    """Return ``chart`` with shaded ``bands`` (begin, end, by name) and ``marks`` (time, label)."""
    seconds = max(times, default=1.0)
    curves = list(_stacked(chart.series))
    highest = max((v for _, upper, _ in curves for v in upper if v is not None), default=0.0)
    scale = Scale(seconds, highest)
    drawing = Drawing()
    for series, upper, lower in curves:
        if series.kind in ("area", "stack"):
            drawing.paths.append(("fill", series.name, _area(scale, times, upper, lower)))
        kind = "limit" if series.kind == "limit" else "line"
        drawing.paths.append((kind, series.name, _line(scale, times, upper)))
    drawing.rows = list(_rows(scale))
    every = max(1, round(nice_step(seconds / 2)))
    drawing.columns = [(scale.x(s), f"{s} s") for s in range(0, int(seconds) + 1, every)]
    drawing.bands = [
        (name, scale.x(a), scale.x(min(b, seconds)) - scale.x(a))
        for name, found in bands.items()
        for a, b in found
        if a < seconds
    ]
    drawing.marks = [(scale.x(at), label) for at, label in marks if at <= seconds]
    return drawing


def _stacked(series: Sequence[Series]) -> Iterator[tuple[Series, Curve, Curve]]:
    """Yield each series with its upper and lower edge."""
    ground: Curve = []
    for one in series:
        lower: Curve = ground if one.kind == "stack" and ground else [0.0] * len(one.values)
        if one.kind == "stack":
            ground = [
                None if low is None or value is None else low + value
                for low, value in zip(lower, one.values, strict=True)
            ]
            yield one, ground, lower
        else:
            yield one, one.values, lower


def _rows(scale: Scale) -> Iterator[tuple[float, str]]:
    value = 0.0
    while value <= scale.top * 1.001:
        yield scale.y(value), f"{value:,.10g}" if value >= 1 or not value else f"{value:.2g}"
        value += scale.step


def _line(scale: Scale, times: Sequence[float], values: Curve) -> str:
    """Return path data; a gap in the values is a gap in the line."""
    words, pen_down = [], False
    for at, value in zip(times, values, strict=True):
        if value is not None:
            words.append(f"{'L' if pen_down else 'M'}{scale.x(at):.1f} {scale.y(value):.1f}")
        pen_down = value is not None
    return "".join(words)


def _area(scale: Scale, times: Sequence[float], upper: Curve, lower: Curve) -> str:
    """Return path data of the surface between two curves, in one piece for each gapless part."""
    words: list[str] = []
    part: list[tuple[float, float, float]] = []
    for at, high, low in [*zip(times, upper, lower, strict=True), (0.0, None, None)]:
        if high is not None and low is not None:
            part.append((scale.x(at), scale.y(high), scale.y(low)))
        elif part:
            there = "L".join(f"{x:.1f} {top:.1f}" for x, top, _ in part)
            back = "L".join(f"{x:.1f} {bottom:.1f}" for x, _, bottom in reversed(part))
            words.append(f"M{there}L{back}Z")
            part = []
    return "".join(words)
