"""Every pool metric: its name, kind, labels and unit, what it means, and what to do when it moves.

Names and labels follow OpenTelemetry's semantic conventions for database clients, in the form that
their translation to Prometheus gives, plus ``worker``, the slot. What the conventions lack is named
``sqlalchemy_pool_*``. ``docs/metrics.md`` is generated from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from . import layout
from .worker import Worker

POOL = "db_client_connection_pool_name"
STATE = "db_client_connection_state"

Reading = Iterable[tuple[Any, ...]]
"""For each series: the values of its own labels, then what ``add_metric`` takes after them."""


class Kind(StrEnum):
    """A metric's type in Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"


@dataclass(frozen=True)
class Described:
    """A metric.

    Attributes:
        name: without the suffixes that a counter, histogram or summary adds.
        kind: its type.
        unit: of its values.
        meaning: what it counts; its HELP.
        advice: what to do when it moves.
        read: its series, read from one worker.
        labels: its own, beside the pool's name and the worker, each with its values where they
            are always the same.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    advice: str
    read: Callable[[Worker], Reading] = lambda worker: ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _one(value: Callable[[Worker], float]) -> Callable[[Worker], Reading]:
    return lambda worker: [((), value(worker))]


def _counter(cell: int) -> Callable[[Worker], Reading]:
    return lambda worker: [((), worker.stored.totals[cell])]


def _counters(first: int, names: tuple[str, ...]) -> Callable[[Worker], Reading]:
    def read(worker: Worker) -> Reading:
        for index, name in enumerate(names):
            yield (name,), worker.stored.totals[first + index]

    return read


def _outcomes(first: int, outcomes: tuple[str, ...]) -> Callable[[Worker], Reading]:
    def read(worker: Worker) -> Reading:
        for outcome in outcomes:
            at = first + layout.OUTCOMES.index(outcome) * layout.HISTOGRAM
            yield (outcome,), worker.buckets(at), worker.stored.totals[at + layout.SUM]

    return read


def _states(worker: Worker) -> Reading:
    yield ("used",), worker.used
    yield ("idle",), worker.idle


def _use_time(worker: Worker) -> Reading:
    return [((), worker.buckets(layout.USE), worker.use_seconds)]


def _held(worker: Worker) -> Reading:
    return (((name,), count) for name, count in worker.held().items())


def _holder_uses(worker: Worker) -> Reading:
    return (((name,), *uses) for name, uses in worker.holder_uses().items())


def _connects(worker: Worker) -> Iterator[tuple[Any, ...]]:
    for index, outcome in ((layout.OK, "ok"), (layout.ERROR, "error")):
        yield (outcome,), worker.count(layout.CREATE + index * layout.HISTOGRAM)


_TRIED = ("ok", "error")
_TIMED_OUT = layout.WAIT + layout.TIMEOUT * layout.HISTOGRAM

METRICS = (
    Described(
        "db_client_connection_count",
        Kind.GAUGE,
        "connections",
        "Open connections by state: idle in the pool, or used. Their sum is what the server has.",
        "used at the limit: look at pending_requests, then at who holds them.",
        _states,
        {STATE: ("used", "idle")},
    ),
    Described(
        "db_client_connection_max",
        Kind.GAUGE,
        "connections",
        "Most connections that the pool may open: pool_size + max_overflow; +Inf: any number.",
        "Changes with the settings only; the sum over workers belongs below the budget's limit.",
        _one(lambda worker: worker.limit),
    ),
    Described(
        "db_client_connection_pending_requests",
        Kind.GAUGE,
        "threads",
        "Threads that are blocked now until a connection comes back.",
        "Above zero for long: hold connections for a shorter time, or allow more of them.",
        _one(lambda worker: len(worker.stored.waiters)),
    ),
    Described(
        "db_client_connection_timeouts",
        Kind.COUNTER,
        "errors",
        "Times that somebody got an error instead of a connection after pool_timeout.",
        "Rises: the pool is exhausted. See who holds connections, and for how long.",
        _one(lambda worker: worker.count(_TIMED_OUT)),
    ),
    Described(
        "db_client_connection_wait_time_seconds",
        Kind.HISTOGRAM,
        "seconds",
        "Time to obtain a connection, or none: queueing, ping and connecting. By outcome.",
        "Grows: compare with queue_wait, ping and create_time, which are its parts.",
        _outcomes(layout.WAIT, layout.OUTCOMES),
        {"outcome": layout.OUTCOMES},
    ),
    Described(
        "db_client_connection_use_time_seconds",
        Kind.HISTOGRAM,
        "seconds",
        "Time between borrowing a connection and returning it.",
        "Grows: queries are slower, or something else is done while a connection is held.",
        _use_time,
    ),
    Described(
        "db_client_connection_create_time_seconds",
        Kind.HISTOGRAM,
        "seconds",
        "Time to open a connection, by outcome; without what is set up on it afterwards.",
        "Grows: name resolution, the network, TLS or the server's accepting of connections.",
        _outcomes(layout.CREATE, _TRIED),
        {"outcome": _TRIED},
    ),
    Described(
        "sqlalchemy_pool_size",
        Kind.GAUGE,
        "connections",
        "Connections that the pool keeps open (pool_size).",
        "Changes with the settings only.",
        _one(lambda worker: worker.size),
    ),
    Described(
        "sqlalchemy_pool_timeout_seconds",
        Kind.GAUGE,
        "seconds",
        "Longest wait for a connection (pool_timeout).",
        "Changes with the settings only.",
        _one(lambda worker: worker.patience),
    ),
    Described(
        "sqlalchemy_pool_overflow",
        Kind.GAUGE,
        "connections",
        "Pooled connections that are open beyond pool_size.",
        "Often above zero: a larger pool_size saves the connects and closes.",
        _one(lambda worker: worker.overflow),
    ),
    Described(
        "sqlalchemy_pool_constructing",
        Kind.GAUGE,
        "connections",
        "Connections that are being opened now.",
        "Above zero for long: the server does not answer; see create_time.",
        _one(lambda worker: worker.count_in(layout.CONSTRUCTING)),
    ),
    Described(
        "sqlalchemy_pool_detached",
        Kind.GAUGE,
        "connections",
        "Open connections that were detached: used, and beyond the pool's limits.",
        "Grows: somebody detaches connections and does not close them.",
        _one(lambda worker: worker.count_in(layout.DETACHED)),
    ),
    Described(
        "sqlalchemy_pool_oldest_wait_seconds",
        Kind.GAUGE,
        "seconds",
        "How long the longest waiter has waited; 0: nobody waits.",
        "Near pool_timeout while the median wait is small: the pool is unfair to a few.",
        _one(lambda worker: max(worker.waits, default=0.0)),
    ),
    Described(
        "sqlalchemy_pool_oldest_lease_seconds",
        Kind.GAUGE,
        "seconds",
        "How long the connection that was borrowed first has been borrowed; 0: none is.",
        "Grows with the clock: a leak, or a transaction that is never ended.",
        _one(lambda worker: max(worker.leases, default=0.0)),
    ),
    Described(
        "sqlalchemy_pool_used_peak",
        Kind.GAUGE,
        "connections",
        "Most connections borrowed at once in the last 15 s. Reading does not reset it.",
        "At the limit while used is not: bursts shorter than a scrape exhaust the pool.",
        _one(lambda worker: worker.peak(layout.USED_PEAK, len(worker.leases))),
    ),
    Described(
        "sqlalchemy_pool_pending_peak",
        Kind.GAUGE,
        "threads",
        "Most threads blocked at once in the last 15 s. Reading does not reset it.",
        "Above zero while pending_requests is not: waits shorter than a scrape.",
        _one(lambda worker: worker.peak(layout.PENDING_PEAK, len(worker.stored.waiters))),
    ),
    Described(
        "sqlalchemy_pool_wait_peak_seconds",
        Kind.GAUGE,
        "seconds",
        "Longest wait for a connection to come back in the last 15 s. Reading does not reset it.",
        "Near pool_timeout: the next burst will see timeouts.",
        _one(lambda worker: worker.peak(layout.WAIT_PEAK, max(worker.waits, default=0.0), 0.001)),
    ),
    Described(
        "sqlalchemy_pool_queue_wait_seconds",
        Kind.HISTOGRAM,
        "seconds",
        "Time a thread was blocked until another returned a connection; only those that were.",
        "Grows: hold connections for a shorter time, or allow more of them.",
        _outcomes(layout.QUEUE_WAIT, layout.OUTCOMES),
        {"outcome": layout.OUTCOMES},
    ),
    Described(
        "sqlalchemy_pool_ping_seconds",
        Kind.HISTOGRAM,
        "seconds",
        "Time of the pings that try a connection before it is handed out, by outcome.",
        "error rises: the server, or something between, ends idle connections; see pool_recycle.",
        _outcomes(layout.PING, _TRIED),
        {"outcome": _TRIED},
    ),
    Described(
        "sqlalchemy_pool_connects",
        Kind.COUNTER,
        "connections",
        "Attempts to open a connection, by outcome.",
        "Rises steadily: connections are not reused; see closes for why.",
        _connects,
        {"outcome": _TRIED},
    ),
    Described(
        "sqlalchemy_pool_connect_failures",
        Kind.COUNTER,
        "errors",
        "Attempts to open a connection that failed, by reason.",
        "refused, network: the server is away. access_denied: the account. "
        "too_many_connections: the budget.",
        _counters(layout.FAILURES, layout.FAILURE_REASONS),
        {"reason": layout.FAILURE_REASONS},
    ),
    Described(
        "sqlalchemy_pool_overflows",
        Kind.COUNTER,
        "connections",
        "Connections that were opened beyond pool_size.",
        "Rises steadily: a larger pool_size saves these connects.",
        _counter(layout.OVERFLOWS),
    ),
    Described(
        "sqlalchemy_pool_closes",
        Kind.COUNTER,
        "connections",
        "Connections that ended, by reason.",
        "overflow: raise pool_size. pre_ping, error: connections break. "
        "garbage: somebody drops engines or connections without closing them.",
        _counters(layout.CLOSES, layout.CLOSE_REASONS),
        {"reason": layout.CLOSE_REASONS},
    ),
    Described(
        "sqlalchemy_pool_leaks",
        Kind.COUNTER,
        "connections",
        "Times that a connection was borrowed for longer than the leak threshold.",
        "Rises: the log has a line for each, with the holder.",
        _counter(layout.LEAKS),
    ),
    Described(
        "sqlalchemy_pool_leaks_suspected",
        Kind.GAUGE,
        "connections",
        "Connections that are borrowed now for longer than the leak threshold.",
        "Does not fall again: a leak; restart the worker, and fix the holder in the log.",
        _one(lambda worker: worker.suspects),
    ),
    Described(
        "sqlalchemy_pool_held",
        Kind.GAUGE,
        "connections",
        "Connections borrowed now, by holder: URL rule, command, or a name that was set.",
        "The largest is who to look at when the pool is exhausted.",
        _held,
        {"holder": ()},
    ),
    Described(
        "sqlalchemy_pool_holder_use_seconds",
        Kind.SUMMARY,
        "seconds",
        "Number and sum of the times for which connections were held, by holder.",
        "The rate of the sum is the mean number of connections that a holder keeps busy.",
        _holder_uses,
        {"holder": ()},
    ),
    Described(
        "sqlalchemy_pool_faults",
        Kind.COUNTER,
        "errors",
        "Errors inside the instrumentation itself; the application does not notice them.",
        "Above zero: these metrics are not to be trusted; report it.",
        _counter(layout.FAULTS),
    ),
)

BUDGET_NEEDED = Described(
    "sqlalchemy_pool_budget_needed",
    Kind.GAUGE,
    "connections",
    "Most connections that all workers of all replicas may open, by the settings. Not by worker.",
    "Above the limit: lower workers or the pool, or raise the server's max_connections.",
)
BUDGET_LIMIT = Described(
    "sqlalchemy_pool_budget_limit",
    Kind.GAUGE,
    "connections",
    "The server's max_connections less the reserve, when the application started. Not by worker.",
    "Changes with the server's settings; restart the application to read it again.",
)
