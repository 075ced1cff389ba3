"""The curves that fingerprints and charts name."""

from collections.abc import Callable, Sequence

from loadtest.lab import curves
from loadtest.lab.curves import Curve
from loadtest.lab.samples import LoadSample, PoolSample, Sample, ServerSample

Series = Callable[[Sequence[Sample]], Curve]


def _pool(value: Callable[[PoolSample], float]) -> Series:
    return lambda samples: curves.of_pool(samples, value)


def _load(value: Callable[[LoadSample], float]) -> Series:
    return lambda samples: curves.of_load(samples, value)


def _server(value: Callable[[ServerSample], float]) -> Series:
    return lambda samples: [value(s.server) if s.server else None for s in samples]


def _rate(counter: Series) -> Series:
    return lambda samples: curves.rate(samples, counter(samples))


def _ratio(above: Series, below: Series) -> Series:
    """The growth of one counter by that of another, such as a mean time."""
    return lambda samples: [
        a / b if a is not None and b else None
        for a, b in zip(_rate(above)(samples), _rate(below)(samples), strict=True)
    ]


def _part(name: str) -> Series:
    """The mean time that a request spent in a part, over all rules."""
    return _ratio(
        _pool(lambda pool: sum(parts.get(name, 0.0) for parts in pool.parts.values())),
        _pool(lambda pool: sum(parts.get("requests", 0.0) for parts in pool.parts.values())),
    )


def _response_p95(samples: Sequence[Sample]) -> Curve:
    latencies = [s.load.latencies if s.load else None for s in samples]
    return curves.percentile(samples, latencies, 0.95)


def _wait_p95(samples: Sequence[Sample]) -> Curve:
    waits = [s.pool.waits if s.pool else None for s in samples]
    return curves.percentile(samples, waits, 0.95)


SERIES: dict[str, Series] = {
    "in use": _pool(lambda pool: pool.in_use),
    "idle": _pool(lambda pool: pool.idle),
    "open": _pool(lambda pool: pool.in_use + pool.idle),
    "overflow": _pool(lambda pool: pool.overflow),
    "limit": _pool(lambda pool: pool.maximum),
    "busy share": _pool(lambda pool: pool.in_use / pool.maximum if pool.maximum else 0.0),
    "busy peak": _pool(lambda pool: pool.used_peak / pool.maximum if pool.maximum else 0.0),
    "waiting": _pool(lambda pool: pool.waiting),
    "waiting peak": _pool(lambda pool: pool.pending_peak),
    "oldest wait": _pool(lambda pool: pool.oldest_wait),
    "longest wait": _pool(lambda pool: pool.wait_peak),
    "leaks suspected": _pool(lambda pool: pool.leaks_suspected),
    "oldest lease": _pool(lambda pool: pool.oldest_lease),
    "timeouts": _rate(_pool(lambda pool: pool.timeouts)),
    "connects": _rate(_pool(lambda pool: pool.connects)),
    "connect failures": _rate(_pool(lambda pool: pool.connect_failures)),
    "closes": _rate(_pool(lambda pool: pool.closes)),
    "recycled": _rate(_pool(lambda pool: pool.recycled)),
    "failed pings": _rate(_pool(lambda pool: pool.failed_pings)),
    "checkouts": _rate(_pool(lambda pool: pool.uses)),
    "mean use": _ratio(_pool(lambda pool: pool.use_seconds), _pool(lambda pool: pool.uses)),
    "wait p95": _wait_p95,
    "mean before app": _part("before_app"),
    "mean pool wait": _part("pool_wait"),
    "mean sql": _part("sql"),
    "mean held": _part("held"),
    "users": _load(lambda load: load.users),
    "in flight": _load(lambda load: load.in_flight),
    "arrivals": _rate(_load(lambda load: load.arrivals)),
    "dropped": _rate(_load(lambda load: load.dropped)),
    "requests": _rate(_load(lambda load: load.requests)),
    "failed": _rate(_load(lambda load: load.failures)),
    "failed share": _ratio(_load(lambda load: load.failures), _load(lambda load: load.requests)),
    "requests per arrival": _ratio(
        _load(lambda load: load.requests), _load(lambda load: load.arrivals)
    ),
    "response p95": _response_p95,
    "server connections": _server(lambda server: server.connections),
    "server running": _server(lambda server: server.running),
    "row lock waits": _rate(_server(lambda server: server.row_lock_waits)),
}
"""By name; times in seconds, counters as their growth per second."""
