"""The first look: are users served, and if not, in which layer is the trouble?"""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring import thresholds as limit
from monitoring.grafana import pool, tokens
from monitoring.grafana.ask import quantile, quantiles, rate
from monitoring.grafana.frame import dashboard

DURATION = "flask_http_request_duration_seconds"
FAILED = rate("flask_http_request_total", 'status=~"5.."')
# No failure yet is no series yet.
# Without a request it is NaN, which the comparison leaves out.
ERRORS = f"((({FAILED}) or vector(0)) / {rate('flask_http_request_total')}) >= 0"


def overview() -> Dashboard:
    """Return the whole dashboard, panels not yet numbered."""
    return dashboard(
        "overview", "Overview", "Are users served, and if not, where is the trouble?", ROWS
    )


# fmt: off
USERS: list[Any] = [
    tokens.number(
        "How much traffic?",
        "Requests answered per second, by all replicas.",
        rate("flask_http_request_total"), "reqps",
    ),
    tokens.number(
        "How many fail?",
        "The share that is answered 5xx. What is promised allows 0.5 % over a month.",
        ERRORS, "percentunit",
        tokens.steps(1 - limit.AVAILABILITY, limit.BURN["5m", "1h"] * (1 - limit.AVAILABILITY)),
    ),
    tokens.number(
        "How slow is it?",
        "95 of 100 requests are answered within this time, inside the application.",
        quantile(0.95, DURATION), "s", tokens.steps(limit.REQUEST_SLOW, limit.REQUEST_LOST),
    ),
    pool.how_full(),
    pool.who_waits(),
    pool.how_full_is_the_server(),
]

LAYERS: list[Any] = [
    tokens.curves(
        "API: what is answered?",
        "Requests per second by status. 503 is the pool, or the database away; 500 is a fault.",
        "reqps",
        {"{{status}}": rate("flask_http_request_total", by="status")},
    ),
    tokens.curves(
        "API: how long does it take?",
        "Time to answer, inside the application.",
        "s", quantiles(DURATION),
    ),
    tokens.stacked(tokens.curves(
        "Pool: what are the connections doing?",
        "In use and idle together are all open connections; more is on the dashboard Connection "
        "pool.",
        "short",
        {"in use": pool.USED, "idle": pool.IDLE, "limit": pool.LIMIT},
    )),
    tokens.curves(
        "Pool: who waits?",
        "Threads that wait for a connection. Above zero, requests are slower than their queries.",
        "short", {"waiting": pool.WAITING},
    ),
    tokens.curves(
        "MySQL: how busy is it?",
        "Connections that execute a statement, and all that are open, with the server's limit.",
        "short",
        {"running": "max(mysql_global_status_threads_running)",
         "connected": "max(mysql_global_status_threads_connected)",
         "max_connections": "max(mysql_global_variables_max_connections)"},
    ),
    tokens.curves(
        "Load: what is sent?",
        "What Locust sends per second, and its users (right axis). Empty while no load is run.",
        "reqps",
        {"requests": rate("locust_requests_total"),
         "failed": rate("locust_failures_total"),
         "users": "sum(locust_users)"},
    ),
]

ROWS = {"Are users served?": USERS, "In which layer is the trouble?": LAYERS}
# fmt: on
