"""A short walk of what may happen to a pool; the long one is ``make drill-walk``."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, settings

from tests.pool.walk import PoolWalk


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What is captured of the log keeps the connections alive that it names."""
    caplog.set_level(logging.WARNING, "app.pool.measured")


TestWalk = PoolWalk.TestCase
TestWalk.settings = settings(
    max_examples=10,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
