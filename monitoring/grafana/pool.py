"""The pool dashboard: what the connection pool does under this traffic, and who waits."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring import thresholds as limit
from monitoring.grafana import tokens
from monitoring.grafana.ask import POOL, chosen, quantile, quantiles, rate
from monitoring.grafana.frame import dashboard

WORKER = "sum by (instance, worker)"


def state(name: str, over: str = "sum") -> str:
    """Return the open connections that are `name`, added up by `over`."""
    where = f'db_client_connection_state="{name}"'
    return f"{over} ({chosen('db_client_connection_count', where)})"


def gauge(name: str, over: str = "sum") -> str:
    """Return the gauge `name` of the pools, added up by `over`."""
    return f"{over} ({chosen(name)})"


USED, IDLE = state("used"), state("idle")
OPEN = gauge("db_client_connection_count")
LIMIT = gauge("db_client_connection_max")
WAITING = gauge("db_client_connection_pending_requests")
PATIENCE = gauge("sqlalchemy_pool_timeout_seconds", "max")
WAIT = "db_client_connection_wait_time_seconds"
QUEUE = "sqlalchemy_pool_queue_wait_seconds"
ALL_TIME = rate("flask_http_request_duration_seconds_sum")
USE = "db_client_connection_use_time_seconds"
HELD = "sqlalchemy_pool_holder_use_seconds"
WAITING_LONG = tokens.steps(limit.WAIT_SLOW, limit.WAIT_LOST)
# Each of these implies the one before it, so their number is the worker's state: tokens.STATES.
STATE = " + ".join(
    (
        f"({state('used', WORKER)} > bool 0)",
        f"({gauge('sqlalchemy_pool_overflow', WORKER)} > bool 0)",
        f"({state('used', WORKER)} >= bool {gauge('db_client_connection_max', WORKER)})",
        f"({gauge('db_client_connection_pending_requests', WORKER)} > bool 0)",
    )
)
SERVER = "max(mysql_global_status_threads_connected / mysql_global_variables_max_connections)"


def pool() -> Dashboard:
    """Return the whole dashboard, panels not yet numbered."""
    return dashboard(
        "pool", "Connection pool", "Can requests get a connection, and if not, why?", ROWS
    )


# fmt: off
# Panels that other dashboards show too: each of them needs its own, for a panel knows its place.

def how_full() -> Any:
    """Return how much of what may be opened is in use."""
    by_pool = f"sum by ({POOL})"
    return tokens.number(
        "Is the pool full?",
        "Connections in use, of all that the pool may open (size + overflow, every worker); of "
        "several pools the fullest. At 100 % the next request waits: see who holds connections.",
        f"max({state('used', by_pool)} / {gauge('db_client_connection_max', by_pool)})",
        "percentunit",
        tokens.steps(limit.SATURATION_BUSY, limit.SATURATION_FULL),
    )


def who_waits() -> Any:
    """Return how many threads wait now."""
    return tokens.number(
        "Who waits now?",
        "Threads that wait for a connection at this moment. Above zero, requests are slower "
        "than their queries.",
        WAITING, "short", tokens.steps(red=1),
    )


def how_full_is_the_server() -> Any:
    """Return how much of max_connections is open."""
    return tokens.number(
        "Is MySQL full?",
        "Connections that MySQL has open, of its max_connections. At 100 % it refuses all.",
        SERVER, "percentunit", tokens.steps(limit.SERVER_BUSY, limit.SERVER_NEAR_LIMIT),
    )


VERDICT: list[Any] = [
    how_full(),
    who_waits(),
    tokens.number(
        "Patience used?",
        "The longest wait of the last 15 s, as a share of pool_timeout. At 100 % it is refused. "
        "Waits between two scrapes are seen too.",
        f"{gauge('sqlalchemy_pool_wait_peak_seconds', 'max')} / {PATIENCE}", "percentunit",
        WAITING_LONG,
    ),
    tokens.number(
        "Are waits long?",
        "95 of 100 checkouts got their connection within this time, as a share of pool_timeout.",
        f"({quantile(0.95, WAIT)}) / scalar({PATIENCE})", "percentunit", WAITING_LONG,
    ),
    tokens.number(
        "Any refused?",
        "Requests that waited pool_timeout in vain and were answered 503, in the time shown.",
        f"sum(increase({chosen('db_client_connection_timeouts_total')}[$__range]))",
        "short", tokens.steps(red=1),
    ),
    how_full_is_the_server(),
]

SATURATION: list[Any] = [
    tokens.stacked(tokens.curves(
        "What are the connections doing?",
        "In use and idle together are all open connections. Between the dashed lines they are "
        "overflow: opened for this moment and closed when returned. The peak counts bursts that "
        "are shorter than a scrape.",
        "short",
        {"in use": USED, "idle": IDLE, "pool size": gauge("sqlalchemy_pool_size"),
         "limit": LIMIT},
        span=12,
    )),
    tokens.states(
        "Which worker is in trouble?",
        "Each worker has its own pool: one can be full while others are idle. Idle, in use, "
        "overflow, full, waiting.",
        STATE, "{{instance}} worker {{worker}}",
    ),
    tokens.curves(
        "How many wait?",
        "Threads blocked until a connection comes back, now and at most in 15 s. Above zero is the "
        "alarm: hold connections for a shorter time, or allow more.",
        "short",
        {"waiting": WAITING, "peak of 15 s": gauge("sqlalchemy_pool_pending_peak", "max")},
    ),
    tokens.curves(
        "Do bursts need more than is seen?",
        "Connections in use, at most in 15 s, beside those beyond pool_size. Overflow that stays "
        "is cheaper as pool_size.",
        "short",
        {"peak of 15 s": gauge("sqlalchemy_pool_used_peak"),
         "overflow": gauge("sqlalchemy_pool_overflow")},
    ),
]

TIME: list[Any] = [
    tokens.heat(
        "How long do requests wait for a connection?",
        "Every checkout, by the time it took: free connection, new connection, or the queue. "
        "Nothing is above pool_timeout but what had to connect as well.",
        WAIT,
    ),
    tokens.curves(
        "How long do the slowest wait?",
        "The same checkouts. p99 rises before anything is refused at pool_timeout. The longest now "
        "far above: the pool is unfair to a few.",
        "s",
        {**quantiles(WAIT), "longest now": gauge("sqlalchemy_pool_oldest_wait_seconds", "max"),
         "pool_timeout": PATIENCE},
    ),
    tokens.heat(
        "How long is a connection held?",
        "From checkout to return. The pool's throughput is its limit divided by this.",
        USE,
    ),
    tokens.named(tokens.curves(
        "Who holds connections for how long?",
        "Mean time from checkout to return, by who borrowed: URL rule or command. The top 8.",
        "s",
        {"{{holder}}": f"topk(8, {rate(f'{HELD}_sum', by='holder')}"
            f" / ({rate(f'{HELD}_count', by='holder')} > 0))"},
    )),
    tokens.named(tokens.curves(
        "Who holds connections now?",
        "Connections in use, by who borrowed. The largest is who to look at first. The top 8.",
        "short",
        {"{{holder}}": f"topk(8, {gauge('sqlalchemy_pool_held', 'sum by (holder)')} > 0)"},
    )),
    tokens.curves(
        "How long does a connection take to open?",
        "TCP, TLS and login, for 95 of 100. A request that has to overflow pays it.",
        "s", {"p95": quantile(0.95, "db_client_connection_create_time_seconds")},
    ),
]

CHURN: list[Any] = [
    tokens.curves(
        "Are connections reused?",
        "Connections opened, and opened beyond pool_size, per second. Steady traffic needs none.",
        "ops",
        {"opened": rate("sqlalchemy_pool_connects_total", 'outcome="ok"'),
         "overflow": rate("sqlalchemy_pool_overflows_total")},
    ),
    tokens.curves(
        "Why do connections end?",
        "Closed connections per second, by reason. overflow: raise pool_size. pre_ping, error: "
        "something breaks them. garbage: somebody drops them.",
        "ops",
        {"{{reason}}": rate("sqlalchemy_pool_closes_total", by="reason")},
    ),
    tokens.curves(
        "Who gets no connection?",
        "Checkouts that ended at pool_timeout, and connects that failed, by reason, per second.",
        "ops",
        {"timeouts": rate("db_client_connection_timeouts_total"),
         "{{reason}}": rate("sqlalchemy_pool_connect_failures_total", by="reason")},
    ),
    tokens.curves(
        "Does anything not come back?",
        "How long the connection that was borrowed first has been borrowed, by worker. A line that "
        "grows with the clock is a leak, or a transaction that is never ended.",
        "s",
        {"{{instance}} worker {{worker}}":
            gauge("sqlalchemy_pool_oldest_lease_seconds", "max by (instance, worker)")},
    ),
    tokens.curves(
        "Are idle connections alive?",
        "Connections tried before they were handed out, per second, by what was found.",
        "ops",
        {"{{outcome}}": rate("sqlalchemy_pool_ping_seconds_count", by="outcome")},
    ),
    tokens.curves(
        "Are leaks suspected?",
        "Connections borrowed for longer than the leak threshold, detached ones, and those being "
        "opened. None of them stays above zero when all is well.",
        "short",
        {"suspected leaks": gauge("sqlalchemy_pool_leaks_suspected"),
         "detached": gauge("sqlalchemy_pool_detached"),
         "constructing": gauge("sqlalchemy_pool_constructing")},
    ),
]

BUDGET: list[Any] = [
    tokens.curves(
        "Do all pools fit the server?",
        "What all pools may open together, what they may by the server's settings, and what is "
        "open. The first above the second: the server will refuse connections under load.",
        "short",
        {"may be opened": "max(sqlalchemy_pool_budget_needed)",
         "limit": "max(sqlalchemy_pool_budget_limit)",
         "MySQL sees": "max(mysql_global_status_threads_connected)"},
    ),
]

ELSEWHERE: list[Any] = [
    tokens.curves(
        "How much of a request is waiting?",
        "The share of all request time that is spent on getting a connection, and of that the "
        "queueing. The rest is pings and connects.",
        "percentunit",
        {"until there is one": f"{rate(f'{WAIT}_sum')} / {ALL_TIME}",
         "blocked in the queue": f"{rate(f'{QUEUE}_sum')} / {ALL_TIME}"},
    ),
]

ROWS = {
    "Can requests get a connection?": VERDICT,
    "Where is the limit?": SATURATION,
    "Where does the time go?": TIME,
    "What breaks?": CHURN,
    "Does it fit, and what is it for?": BUDGET + ELSEWHERE,
}
# fmt: on
