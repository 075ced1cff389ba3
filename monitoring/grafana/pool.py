"""The pool dashboard: what the connection pool does under this traffic, and who waits."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQueryPlacement,
    DashboardCursorSync,
    VariableRefresh,
)

from monitoring import thresholds as limit
from monitoring.grafana import tokens

AT = 'job=~"$job", instance=~"$instance"'
USED = f'sum(db_client_connection_count{{db_client_connection_state="used", {AT}}})'
IDLE = f'sum(db_client_connection_count{{db_client_connection_state="idle", {AT}}})'
OPEN = f"sum(db_client_connection_count{{{AT}}})"
LIMIT = f"sum(db_client_connection_max{{{AT}}})"
PROCESSES = "mysql_info_schema_processlist_processes_by_user"
WAITING_LONG = tokens.steps(limit.WAIT_SLOW, limit.WAIT_LOST)  # for pool_timeout = 1 s
WAITING = f"sum(db_client_connection_pending_requests{{{AT}}})"


def dashboard() -> board.Dashboard:
    """Return the whole dashboard, panels not yet numbered."""
    found = frame()
    for title, panels in ROWS.items():
        found = found.with_row(board.Row(title))
        for panel in panels:
            found = found.with_panel(panel)
    return found


def frame() -> board.Dashboard:
    """Return the dashboard without its panels."""
    return (
        board.Dashboard("Connection pool")
        .uid("pool")
        .description("Can requests get a connection, and if not, why?")
        .tags(["poolsight"])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .timezone("browser")
        .refresh("5s")
        .time("now-15m", "now")
        .with_variable(
            board.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
        .with_variable(choice("job", "Job", "job"))
        .with_variable(choice("instance", "Replica", "instance", 'job=~"$job"'))
        .annotation(mark("Load", "purple", "sum by (profile) (locust_profile_info)", "{{profile}}"))
        .annotation(
            mark("MySQL restart", "red", "mysql_global_status_uptime < 30", "MySQL was restarted")
        )
    )


def choice(name: str, title: str, label: str, selector: str = "") -> board.QueryVariable:
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


def mark(name: str, colour: str, expression: str, text: str) -> board.AnnotationQuery:
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


def quantile(q: float, histogram: str) -> str:
    """Return the `q` quantile of `histogram` over the replicas chosen, in seconds."""
    rate = f"sum by (le) (rate({histogram}_bucket{{{AT}}}[$__rate_interval]))"
    # Without a request in the interval it is NaN, which the comparison leaves out.
    return f"histogram_quantile({q}, {rate}) >= 0"


def quantiles(histogram: str) -> dict[str, str]:
    """Return the usual three quantiles of `histogram`."""
    return {"p50": quantile(0.5, histogram), "p95": quantile(0.95, histogram),
            "p99": quantile(0.99, histogram)}  # fmt: skip


def rate(counter: str, labels: str = AT) -> str:
    """Return `counter` per second, summed over what `labels` select."""
    return f"sum(rate({counter}{{{labels}}}[$__rate_interval]))"


# fmt: off
ROWS: dict[str, list[Any]] = {
    "Can requests get a connection?": [
        tokens.number(
            "Saturation",
            "Connections in use, of all that the pools may open (size + overflow, every worker). "
            "At 100 % the next request waits.",
            f"{USED} / {LIMIT}", "percentunit",
            tokens.steps(limit.SATURATION_BUSY, limit.SATURATION_FULL),
        ),
        tokens.number(
            "Waiting now",
            "Threads that wait for a connection at this moment. Above zero, requests are slower "
            "than their queries.",
            WAITING, "short", tokens.steps(red=1),
        ),
        tokens.number(
            "Longest wait now",
            "For how long the longest waiter has waited. At pool_timeout (1 s) it is refused.",
            f"max(sqlalchemy_pool_oldest_wait_seconds{{{AT}}})", "s", WAITING_LONG,
        ),
        tokens.number(
            "Wait, 95 %",
            "95 of 100 checkouts got their connection within this time.",
            quantile(0.95, "db_client_connection_wait_time_seconds"), "s", WAITING_LONG,
        ),
        tokens.number(
            "Refused in this range",
            "Requests that waited pool_timeout in vain and were answered 503, in the time shown.",
            f"sum(increase(db_client_connection_timeouts_total{{{AT}}}[$__range]))",
            "short", tokens.steps(red=1),
        ),
        tokens.number(
            "Server's connections",
            "Connections that MySQL has open, of its max_connections. At 100 % it refuses all.",
            "max(mysql_global_status_threads_connected / mysql_global_variables_max_connections)",
            "percentunit",
            tokens.steps(limit.SERVER_BUSY, limit.SERVER_NEAR_LIMIT),
        ),
    ],
    "Connections": [
        tokens.stacked(tokens.curves(
            "Connections of the pools",
            "In use and idle together are all open connections. Between the dashed lines they are "
            "overflow: opened for this moment and closed when returned.",
            "short",
            {"in use": USED, "idle": IDLE,
             "pool size": f"sum(sqlalchemy_pool_size{{{AT}}})", "limit": LIMIT},
            span=16,
        )),
        tokens.curves(
            "Waiting and overflow",
            "Threads waiting for a connection, and connections open beyond pool_size.",
            "short",
            {"waiting": WAITING, "overflow": f"sum(sqlalchemy_pool_overflow{{{AT}}})"},
            span=8,
        ),
        tokens.curves(
            "In use, by worker",
            "One line a worker: an even load keeps them together; a leak holds one up.",
            "short",
            {"{{instance}} worker {{worker}}":
                f'sum by (instance, worker) (db_client_connection_count{{'
                f'db_client_connection_state="used", {AT}}})'},
        ),
        tokens.curves(
            "The pools' count and MySQL's",
            "Open connections as the pools count them and as MySQL's processlist shows for the "
            "application's user. They agree within one scrape, or one of them is wrong.",
            "short",
            {"in the pools": OPEN, "MySQL sees": f'sum({PROCESSES}{{mysql_user="app"}})'},
        ),
    ],
    "Time": [
        tokens.heat(
            "Waiting for a connection",
            "Every checkout, by the time it took: free connection, new connection, or the queue.",
            "db_client_connection_wait_time_seconds", AT,
        ),
        tokens.curves(
            "Waiting for a connection, quantiles",
            "The same checkouts. p99 rises before anything is refused.",
            "s", quantiles("db_client_connection_wait_time_seconds"),
        ),
        tokens.curves(
            "Holding a connection",
            "From checkout to return. The pool's throughput is its size divided by this.",
            "s", quantiles("db_client_connection_use_time_seconds"),
        ),
        tokens.curves(
            "Opening a connection",
            "TCP, TLS and login. A request that has to overflow pays it.",
            "s", quantiles("db_client_connection_create_time_seconds"),
        ),
    ],
    "Churn and failure": [
        tokens.curves(
            "Opened and closed",
            "Connections opened, not opened, and closed, per second. Steady traffic needs none.",
            "ops",
            {"opened": rate("sqlalchemy_pool_connects_total", f'outcome="ok", {AT}'),
             "failed": rate("sqlalchemy_pool_connects_total", f'outcome="error", {AT}'),
             "closed": rate("sqlalchemy_pool_closes_total"),
             "overflow": rate("sqlalchemy_pool_overflows_total")},
        ),
        tokens.curves(
            "Refused",
            "Checkouts that ended at pool_timeout, per second.",
            "ops", {"timeouts": rate("db_client_connection_timeouts_total")},
        ),
    ],
    "The same moments elsewhere": [
        tokens.curves(
            "Load",
            "What Locust sends: requests and failures per second, and its users (right axis).",
            "reqps",
            {"requests": "sum(rate(locust_requests_total[$__rate_interval]))",
             "failed": "sum(rate(locust_failures_total[$__rate_interval]))",
             "users": "sum(locust_users)"},
        ),
        tokens.curves(
            "Answers by status",
            "What the application answered, per second. 503 is the pool, or the database away.",
            "reqps",
            {"{{status}}":
                f"sum by (status) (rate(flask_http_request_total{{{AT}}}[$__rate_interval]))"},
        ),
        tokens.curves(
            "Slowest routes, 95 %",
            "Time to answer, by route, inside the application.",
            "s",
            {"{{method}} {{url_rule}}":
                "topk(8, histogram_quantile(0.95, sum by (le, method, url_rule) (rate("
                f"flask_http_request_duration_seconds_bucket{{{AT}}}[$__rate_interval]))))"},
        ),
        tokens.curves(
            "MySQL's threads",
            "Connections open, those executing a statement, and the server's limit.",
            "short",
            {"connected": "max(mysql_global_status_threads_connected)",
             "running": "max(mysql_global_status_threads_running)",
             "max_connections": "max(mysql_global_variables_max_connections)"},
        ),
    ],
}
# fmt: on
