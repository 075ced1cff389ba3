"""The load dashboard: what is offered, what is achieved, and where the time goes."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.grafana import pool, tokens
from monitoring.grafana.ask import mean, quantiles, rate
from monitoring.grafana.frame import dashboard

RESPONSE = "locust_response_time_seconds"
SENT = rate("locust_requests_total")
FAILED = rate("locust_failures_total")
ANSWERED = rate("flask_http_request_total")


def load() -> Dashboard:
    """Return the whole dashboard, panels not yet numbered."""
    return dashboard(
        "load", "Load test", "What is offered, what is achieved, where does the time go?", ROWS
    )


# fmt: off
VERDICT: list[Any] = [
    tokens.number(
        "How many users?",
        "Users that Locust simulates now. None while no load is run.",
        "sum(locust_users)", "short",
    ),
    tokens.number(
        "How much is sent?",
        "Requests per second, of all users.", SENT, "reqps",
    ),
    tokens.number(
        "How much fails?",
        "The share of requests that failed for the user.",
        f"{FAILED} / {SENT}", "percentunit", tokens.steps(0.01, 0.05),
    ),
    tokens.number(
        "How slow is it?",
        "Mean response time as the user sees it.",
        mean(RESPONSE), "s",
    ),
    pool.how_full(),
    pool.who_waits(),
]

DETAILS: list[Any] = [
    tokens.curves(
        "Is what is offered achieved?",
        "Requests that users sent, and that the application answered, per second. Apart: they are "
        "lost, or answered by nginx.",
        "reqps",
        {"requests": SENT, "answered": ANSWERED, "failed": FAILED, "users": "sum(locust_users)"},
    ),
    tokens.heat(
        "How long do users wait?",
        "Every request, by its response time.",
        RESPONSE,
    ),
    tokens.curves(
        "How long do the slowest wait?",
        "Response times as users see them.",
        "s", quantiles(RESPONSE),
    ),
    tokens.named(tokens.curves(
        "Which requests are slow?",
        "95 of 100 are answered within this time, by request. The top 8.",
        "s",
        {"{{method}} {{name}}": "topk(8, histogram_quantile(0.95, "
            f"{rate(f'{RESPONSE}_bucket', by='le, method, name')}) >= 0)"},
    )),
    tokens.curves(
        "Where does the time go?",
        "Mean seconds of a request: as the user sees it, inside the application, waiting for a "
        "connection, and holding one. The gap between the first two is the network, nginx and the "
        "queue before a thread is free.",
        "s",
        {"the user": mean(RESPONSE),
         "in the application": mean("flask_http_request_duration_seconds"),
         "waiting": mean("db_client_connection_wait_time_seconds"),
         "in use": mean("db_client_connection_use_time_seconds")},
    ),
    tokens.named(tokens.curves(
        "What fails?",
        "Failed requests per second, by request.",
        "reqps",
        {"{{method}} {{name}}": f"{rate('locust_failures_total', by='method, name')} > 0"},
    )),
]

ROWS = {"Is the load carried?": VERDICT, "Where does the time go?": DETAILS}
# fmt: on
