"""One stack for all tests of this folder, and one spike; torn down whatever happens."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.stack.stack import GRAFANA_IMAGE, Stack, has_image, leftovers
from tests.stack.waiting import eventually


@dataclass(frozen=True)
class Spike:
    """One run of the spike profile: when (seconds since 1970), and how it ended."""

    started: float
    ended: float
    status: int
    output: str

    def during(self, expression: str, step: str = "5s") -> str:
        """Return `expression` as a subquery over the run, to ask now or later."""
        # Two scrapes more: the last of the run is seen after it.
        length = int(self.ended - self.started) + 10
        return f"(({expression})[{length}s:{step}] @ {self.ended + 5:.0f})"


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The whole stack, healthy, under a project name of its own."""
    grafana = has_image(GRAFANA_IMAGE)
    if not grafana:
        terminal = request.config.pluginmanager.get_plugin("terminalreporter")
        terminal.write_line(f"\n{GRAFANA_IMAGE} cannot be had here: all but Grafana is tested.")
    stack = Stack(f"poolsight-test-{os.getpid()}", grafana)
    try:
        stack.up("--build")
        yield stack
    finally:
        stack.down()
    assert leftovers(stack.project) == []


@pytest.fixture(scope="session")
def spike(stack: Stack) -> Spike:
    """Run the spike once; by then Prometheus has seen all that it ever will of it."""
    started = time.time()
    found = stack.compose("run", "--rm", "--no-TTY", "loadtest", "spike", check=False, timeout=180)
    ended = time.time()
    eventually(lambda: stack.value("time()") or 0 > ended + 10, within=15)
    return Spike(started, ended, found.returncode, found.stdout + found.stderr)
