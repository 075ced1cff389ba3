"""A short walk of what may happen to a pool; the long one is ``make drill-walk``."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.pool.walk import PoolWalk

TestWalk = PoolWalk.TestCase
TestWalk.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
