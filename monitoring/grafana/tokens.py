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

from monitoring.grafana.ask import buckets

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
    """Return one large number with its recent course, coloured by `thresholds`.

    What is counted over the whole time shown has no course: asked for at each point, it would take
    Prometheus longer than all else on the dashboard.
    """
    whole = "$__range" in expression
    asked = query(expression, title)
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(thresholds or steps())
        .color_mode(BigValueColorMode.BACKGROUND if thresholds else BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE if whole else BigValueGraphMode.AREA)
        .no_value("none yet")
        .span(4)
        .height(4)
        .with_target(asked.instant() if whole else asked)
    )
    return panel.decimals(1) if unit == "percentunit" else panel


def yes_or_no(panel: stat.Panel) -> stat.Panel:
    """Say yes in place of 1 and no in place of 0."""
    words = {
        str(value): ValueMappingResult(text=text, index=value)
        for value, text in enumerate(("no", "yes"))
    }
    return panel.mappings([ValueMap(options=words)])


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


def named(panel: timeseries.Panel) -> timeseries.Panel:
    """Leave room for the curves beside long names. What is seen only once is a point."""
    names = legend().display_mode(LegendDisplayMode.LIST).calcs([]).width(330)
    return panel.legend(names).show_points(VisibilityMode.AUTO)


def legend() -> shared.VizLegendOptions:
    """Return the legend of every panel: at the side, with the last value and the highest."""
    return (
        shared.VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.RIGHT)
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
        .with_target(query(buckets(histogram), "{{le}}").format(PromQueryFormat.HEATMAP))
    )
