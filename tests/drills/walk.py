"""Ten thousand walks through the life of a pool: after each step, the metrics equal the truth."""

from __future__ import annotations

import gc
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import monotonic

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import __version__ as sqlalchemy_version

from app.pool.worker import Worker
from tests.drills import record
from tests.pool.walk import PoolWalk

EXAMPLES = 10_000
SHARE = 500  # in one process: Hypothesis remembers all its walks, and forks take longer and longer
STEPS = 30

seen: Counter[str] = Counter()


class CountedWalk(PoolWalk):
    """A walk that tells what it came through."""

    def __init__(self) -> None:
        # What Hypothesis remembers of the walks before need not be searched for this one's garbage.
        gc.collect()
        gc.freeze()
        super().__init__()
        seen["walks"] += 1

    def check_gauges(self, worker: Worker) -> None:
        """Compare, and count in what states there was something to compare."""
        super().check_gauges(worker)
        seen["comparisons"] += 1
        seen["with threads waiting"] += bool(self.waiting)
        seen["with the pool exhausted"] += self.exhausted
        seen["with detached connections"] += bool(self.detached)
        seen["with leaked connections"] += bool(self.leaked)


def main() -> None:
    """Walk on every processor, and record."""
    began = monotonic()
    spawn = get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn, max_tasks_per_child=1) as pool:
        found = sum(pool.map(walk, [SHARE] * (EXAMPLES // SHARE)), Counter[str]())
    findings = dict(found) | {"seconds": round(monotonic() - began)}
    record("walk", found["walks"] >= EXAMPLES, f"sqlite, SQLAlchemy {sqlalchemy_version}", findings)


def walk(examples: int) -> Counter[str]:
    """Walk so many times; return what was come through."""
    run_state_machine_as_test(
        CountedWalk,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return seen


if __name__ == "__main__":
    main()
