"""What surrounds the panels of every dashboard: variables, links to the others, events in time."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQueryPlacement,
    DashboardCursorSync,
    DashboardLinkType,
    VariableRefresh,
)

from monitoring.grafana import tokens
from monitoring.grafana.ask import POOL, REPLICA

TAG = "poolsight"

EVENTS = {
    "Load": ("purple", "sum by (profile) (locust_profile_info)", "profile {{profile}}"),
    "Worker start": (
        "green",
        "max by (instance, worker) (db_client_connection_max)"
        " unless max by (instance, worker) (db_client_connection_max offset 10s)",
        "{{instance}} worker {{worker}}",
    ),
    "Migration": (
        "blue",
        "max by (direction, revision) (clinic_migration_started_timestamp_seconds"
        " or clinic_migration_last_started_timestamp_seconds > time() - 30)",
        "{{direction}} {{revision}}",
    ),
    "Backfill": (
        "blue",
        "max by (name) (clinic_backfill_running == 1)",
        "backfill {{name}} runs",
    ),
    "MySQL restart": ("red", "resets(mysql_global_status_uptime[15s]) > 0", "MySQL was restarted"),
    "Alert": ("orange", 'max by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}} fires"),
}


def dashboard(
    uid: str, title: str, question: str, rows: dict[str, list[Any]], *, of_pool: bool = True
) -> board.Dashboard:
    """Return a dashboard of `rows`, heading to panels, not yet numbered.

    Where it is `of_pool`, replicas and pools can be chosen.
    """
    found = (
        board.Dashboard(title)
        .uid(uid)
        .description(question)
        .tags([TAG])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .timezone("browser")
        .refresh("5s")
        .time("now-15m", "now")
        .link(_links())
        .with_variable(
            board.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
    )
    if of_pool:
        found = found.with_variable(_choice("job", "Job", "job"))
        found = found.with_variable(_choice("instance", "Replica", "instance", 'job=~"$job"'))
        found = found.with_variable(_choice("pool", "Pool", POOL, REPLICA))
    for name, (colour, expression, text) in EVENTS.items():
        found = found.annotation(_event(name, colour, expression, text))
    for heading, panels in rows.items():
        found = found.with_row(board.Row(heading))
        for panel in panels:
            found = found.with_panel(panel)
    return found


def _links() -> board.DashboardLink:
    """Lead to the other dashboards, with the same time and choices."""
    return (
        board.DashboardLink("Dashboards")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .keep_time(True)
        .include_vars(True)
    )


def _choice(name: str, title: str, label: str, selector: str = "") -> board.QueryVariable:
    """Return a variable of the values of `label` in the pool's data; all of them unless chosen."""
    return (
        board.QueryVariable(name)
        .label(title)
        .datasource(tokens.SOURCE)
        .query(f"label_values(db_client_connection_max{{{selector}}}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(True)
        .multi(True)
        .all_value(".+")
    )


def _event(name: str, colour: str, expression: str, text: str) -> board.AnnotationQuery:
    """Return an annotation over the times at which `expression` has a value."""
    return (
        board.AnnotationQuery()
        .name(name)
        .datasource(tokens.SOURCE)
        .enable(True)
        .icon_color(colour)
        .placement(AnnotationQueryPlacement.IN_CONTROLS_MENU)
        .expr(expression)
        .title_format(name)
        .text_format(text)
        .step("5s")
    )
