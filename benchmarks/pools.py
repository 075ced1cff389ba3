"""The pools that are compared. Each is made in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import QueuePool

from app.pool import measured_pool

BARE: Final = "bare"
OURS: Final = "ours"
NAIVE: Final = "naive"
OPENTELEMETRY: Final = "opentelemetry"

Holder = Callable[[], "str | None"]

LEAK_THRESHOLD = 30.0  # seconds
NEEDED = ("opentelemetry.instrumentation.sqlalchemy", "opentelemetry.sdk.metrics", "greenlet")


def make_engine(variant: str, url: URL | str, holder: Holder, **options: Any) -> Engine:
    """An engine whose pool is of the *variant*; ours asks *holder* who borrows a connection."""
    return _MAKERS[variant](url, holder, options)


def missing_packages() -> list[str]:
    """What has to be installed before the OpenTelemetry variant can be made."""
    return [name for name in NEEDED if not _is_there(name)]


def _bare(url: URL | str, _: Holder, options: dict[str, Any]) -> Engine:
    return create_engine(url, poolclass=QueuePool, **options)


def _ours(url: URL | str, holder: Holder, options: dict[str, Any]) -> Engine:
    pool = measured_pool("orders", holder=holder, leak_threshold=LEAK_THRESHOLD)
    return create_engine(url, poolclass=pool, **options)


def _naive(url: URL | str, holder: Holder, options: dict[str, Any]) -> Engine:
    # Not above: prometheus_client opens its files when a metric is made.
    from benchmarks import naive

    engine = _bare(url, holder, options)
    naive.instrument(engine)
    return engine


def _opentelemetry(url: URL | str, holder: Holder, options: dict[str, Any]) -> Engine:
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    engine = _bare(url, holder, options)
    provider = MeterProvider([InMemoryMetricReader()])
    # Without skip_dep_check it does nothing on SQLAlchemy 2.1, and only logs that.
    SQLAlchemyInstrumentor().instrument(engine=engine, meter_provider=provider, skip_dep_check=True)
    return engine


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


_MAKERS: dict[str, Callable[[URL | str, Holder, dict[str, Any]], Engine]] = {
    BARE: _bare,
    OURS: _ours,
    NAIVE: _naive,
    OPENTELEMETRY: _opentelemetry,
}
