"""One stack for all tests of this folder, and one spike; torn down whatever happens."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.stack.stack import GRAFANA_IMAGE, Stack, has_image, leftovers
from tests.waiting import eventually


@dataclass(frozen=True)
class Spike:
    """One run of the spike profile: when (seconds since 1970), how it ended, what it booked."""

    started: float
    ended: float
    status: int
    output: str
    booked: list[int]

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
        say(request, f"{GRAFANA_IMAGE} cannot be had here: all but Grafana is tested.")
    # A terminated run tears down as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stack = Stack(f"poolsight-test-{os.getpid()}", grafana)
    try:
        stack.build()
        stack.up()
        yield stack
    finally:
        stack.down()
    assert leftovers(stack.project) == []


@pytest.fixture(scope="session")
def spike(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Spike:
    """Run the spike once; by then Prometheus has seen all that it ever will of it."""
    results = tmp_path_factory.mktemp("spike")
    results.chmod(0o777)  # for the container's user
    options = ("-v", f"{results}:/results", "-e", "LOADTEST_BOOKINGS_FILE=/results/bookings.jsonl")
    run = ("run", "--rm", "--no-TTY", *options, "loadtest", "spike")
    started = time.time()
    found = stack.compose(*run, check=False, timeout=180)
    ended = time.time()
    scraped = "min(timestamp(up{job='app'}))"
    eventually(lambda: (stack.value(scraped) or 0) > ended + 5, within=20)
    lines = (results / "bookings.jsonl").read_text().splitlines()
    booked = [json.loads(line)["appointment_id"] for line in lines]
    return Spike(started, ended, found.returncode, found.stdout + found.stderr, booked)


def say(request: pytest.FixtureRequest, line: str) -> None:
    """Print a line that pytest does not capture."""
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture
    with capture.global_and_fixture_disabled():
        sys.stdout.write(f"\n{line}\n")
