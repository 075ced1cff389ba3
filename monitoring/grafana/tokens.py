"""What all dashboards share: one colour for one thing, one way to draw, one way to ask.

The same names and colours are used wherever the pool is drawn: in use, idle, overflow, waiting.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import common as shared
from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.builders import heatmap, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models.common import (
    AxisPlacement,
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitoring.grafana.ask import rate

SOURCE = DataSourceRef(type_val="prometheus", uid="$datasource")

GREEN, AMBER, RED = "green", "orange", "red"
LIGHT_BLUE = "#8ab8ff"
COLOURS = {
    "in use": "blue",
    "idle": LIGHT_BLUE,
    "overflow": "orange",
    "waiting": "red",
    "limit": "dark-red",
    "timeouts": "dark-red",
    "pool size": "text",
    "pool_timeout": "dark-red",
    "max_connections": "dark-red",
    "MySQL sees": "purple",
    "users": "semi-dark-green",
    "requests": "purple",
    "failed": "red",
    "p50": LIGHT_BLUE,
    "p95": "blue",
    "p99": "dark-blue",
}
# Drawn as dashed lines, never stacked.
LIMITS = ("limit", "pool size", "pool_timeout", "max_connections")
# A worker's state is a number that rises with its trouble.
STATES = {
    0: ("idle", "text"),
    1: ("in use", "blue"),
    2: ("overflow", "orange"),
    3: ("full", "dark-orange"),
    4: ("waiting", "red"),
}


def query(expression: str, legend: str, ref: str = "A") -> prometheus.Dataquery:
    """Return the query `expression`, its series named `legend`."""
    found = prometheus.Dataquery().expr(expression).legend_format(legend)
    return found.ref_id(ref).datasource(SOURCE)


def steps(amber: float | None = None, red: float | None = None) -> board.ThresholdsConfig:
    """Return green, then amber and red from the values given."""
    found = [Threshold(color=GREEN, value=None)]
    found += [Threshold(color=AMBER, value=amber)] if amber is not None else []
    found += [Threshold(color=RED, value=red)] if red is not None else []
    return board.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def falling(red_below: float) -> board.ThresholdsConfig:
    """Return red, and green from `red_below` on."""
    found = [Threshold(color=RED, value=None), Threshold(color=GREEN, value=red_below)]
    return board.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def number(
    title: str,
    description: str,
    expression: str,
    unit: str,
    thresholds: board.ThresholdsConfig | None = None,
) -> stat.Panel:
    """Return one large number with its recent course, coloured by `thresholds`."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(thresholds or steps())
        .color_mode(BigValueColorMode.BACKGROUND if thresholds else BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA)
        .no_value("none yet")
        .span(4)
        .height(4)
        .with_target(query(expression, title))
    )


def curves(
    title: str, description: str, unit: str, series: dict[str, str], span: int = 12
) -> timeseries.Panel:
    """Return a panel of the `series` given, legend to expression, each in its own colour."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .span(span)
        .height(8)
        .line_width(2)
        .fill_opacity(10)
        .show_points(VisibilityMode.NEVER)
        .line_interpolation(LineInterpolation.LINEAR)
        .tooltip(
            shared.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
        )
        .legend(legend())
        .no_value("nothing in this range")
    )
    for ref, (name, expression) in enumerate(series.items()):
        panel = panel.with_target(query(expression, name, chr(ord("A") + ref)))
        panel = panel.override_by_name(name, look(name))
    return panel


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Draw the series of `panel` on top of each other, except the limits."""
    return panel.stacking(shared.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(45)


def legend() -> shared.VizLegendOptions:
    """Return the legend of every panel: below, with the last value and the highest."""
    return (
        shared.VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull", "max"])
    )


def look(name: str) -> list[DynamicConfigValue]:
    """Return how the series `name` is drawn wherever it appears."""
    found = []
    if name in COLOURS:
        found.append(DynamicConfigValue("color", {"mode": "fixed", "fixedColor": COLOURS[name]}))
    if name in LIMITS:
        found.append(DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}))
        found.append(DynamicConfigValue("custom.fillOpacity", 0))
        found.append(DynamicConfigValue("custom.stacking", {"mode": "none"}))
    if name == "users":
        found.append(DynamicConfigValue("custom.axisPlacement", AxisPlacement.RIGHT))
        found.append(DynamicConfigValue("unit", "short"))
    return found


def states(title: str, description: str, expression: str, each: str) -> statetimeline.Panel:
    """Return a band for `each` worker, which says in words and colour what its pool does."""
    names = {
        str(value): ValueMappingResult(text=text, color=colour, index=value)
        for value, (text, colour) in STATES.items()
    }
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit("short")
        .mappings([ValueMap(options=names)])
        .show_value(VisibilityMode.AUTO)
        .merge_values(True)
        .row_height(0.8)
        .fill_opacity(80)
        .no_value("no worker")
        .span(12)
        .height(8)
        .with_target(query(expression, each))
    )


def heat(title: str, description: str, histogram: str) -> heatmap.Panel:
    """Return the distribution of `histogram`, in seconds, over time."""
    buckets = rate(f"{histogram}_bucket", by="le")
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .calculate(False)
        .span(12)
        .height(8)
        .y_axis(heatmap.YAxisConfig().unit("s"))
        .unit("reqps")
        .no_value("nothing in this range")
        .with_target(query(buckets, "{{le}}").format(PromQueryFormat.HEATMAP))
    )
