"""Small recorded runs."""

from __future__ import annotations

from loadtest.lab.run import Run
from loadtest.lab.samples import LoadSample, PoolSample, Sample
from loadtest.stages import Stage

INFINITE = float("inf")


def pool(waiting: float = 0, in_use: float = 1, timeouts: float = 0, seen: float = 0) -> PoolSample:
    """Two workers of 4+2; ``seen`` waits of about 0.2 s were observed so far."""
    return PoolSample(
        in_use=in_use,
        idle=4,
        overflow=max(0.0, in_use - 8),
        waiting=waiting,
        oldest_wait=waiting / 10,
        size=8,
        maximum=12,
        timeouts=timeouts,
        waits={0.1: 0.0, 0.3: seen, INFINITE: seen},
    )


def load(users: float, requests: float, failures: float = 0) -> LoadSample:
    return LoadSample(users, requests, failures, {0.1: requests / 2, 0.2: requests, 15.0: requests})


STAGES = [Stage("base", 3, 8, 8), Stage("spike", 4, 200, 100), Stage("recovery", 3, 8, 100)]


def spike(*, waiting: float = 20, timeouts: float = 0) -> Run:
    """Eleven samples: nobody waits at first, then ``waiting`` for four seconds, then nobody."""
    samples = []
    for second in range(11):
        busy = 4 <= second <= 7
        users = 0 if second == 0 else 200 if busy else 8
        samples.append(
            Sample(
                float(second),
                pool(
                    waiting if busy else 0,
                    in_use=12 if busy and waiting else 2,
                    timeouts=timeouts if second > 5 else 0,
                    seen=second * 10.0,
                ),
                load(users, second * 100.0, failures=second),
            )
        )
    return Run(
        profile="spike",
        started_at="2026-11-23 08:00:00 UTC",
        settings={"CLINIC_POOL_TIMEOUT": "1"},
        versions={"database": "MariaDB 10.11.19"},
        stages=STAGES,
        samples=samples,
        bookings=1234,
        slo="SLO met: <b>0.00%</b> failed.",
    )
