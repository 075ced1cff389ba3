"""Small recorded runs."""

from __future__ import annotations

from loadtest.lab.fingerprint import Seen
from loadtest.lab.results import StageResult
from loadtest.lab.run import Run
from loadtest.lab.samples import LoadSample, Parts, PoolSample, Sample, ServerSample
from loadtest.scenario import Stage

INFINITE = float("inf")
BEGAN = 1_800_000_000.0  # of the traffic, seconds since 1970
STAGES = [Stage("base", 3, 40), Stage("spike", 4, 200), Stage("recovery", 3, 40)]


def pool(
    waiting: float = 0,
    in_use: float = 1,
    timeouts: float = 0,
    seen: float = 0,
    parts: Parts | None = None,
) -> PoolSample:
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
        uses=seen,
        use_seconds=seen / 50,
        use_times={0.1: seen, INFINITE: seen},
        parts=parts or {},
    )


def load(users: float, requests: float, failures: float = 0, cpu: float = 0) -> LoadSample:
    """A generator that was never more than 2 ms late."""
    return LoadSample(
        users,
        requests,
        failures,
        {0.1: requests / 2, 0.2: requests, 15.0: requests},
        in_flight=users * 3,
        arrivals=requests,
        lags={0.001: requests / 2, 0.002: requests, INFINITE: requests},
        cpu_seconds=cpu,
    )


def result(name: str, seconds: float, requests: int, failed: int = 0, **more: float) -> StageResult:
    """Of requests that took 0.05 to 0.4 s."""
    times = {"p50": 0.05, "p95": 0.2, "p99": 0.3, "longest": 0.4} | more
    return StageResult(name, seconds, requests, requests - failed - 1, 1, failed, **times)


RESULTS = [
    result("base", 3, 120, p95=0.08),
    result("spike", 4, 800, 8, p95=0.9, longest=2.5),
    result("recovery", 3, 120, p95=0.09),
    result("all", 10, 1040, 8, p95=0.7, longest=2.5),
]

MARKS = [
    Seen("the pool is full", "busy share", "spike", "at least 0.95", "at most 1", True, 1.2),
    Seen("nobody waits", "waiting", "recovery", "at most 0 at the end", "0 at the end", True, None),
]


def spike(*, waiting: float = 20, timeouts: float = 0) -> Run:
    """Eleven samples: nobody waits at first, then ``waiting`` for four seconds, then nobody."""
    samples = []
    for second in range(11):
        busy = 4 <= second <= 7
        samples.append(
            Sample(
                float(second),
                pool(
                    waiting if busy else 0,
                    in_use=12 if busy and waiting else 2,
                    timeouts=timeouts if second > 5 else 0,
                    seen=second * 10.0,
                    parts=waterfall_of(second * 10.0),
                ),
                load(0 if second == 0 else 1, second * 100.0, failures=second, cpu=second * 0.3),
                ServerSample(8, 3, second * 2.0),
            )
        )
    return Run(
        scenario="spike",
        source="spike",
        title="A quiet base, then more than the pool can carry",
        target="embedded",
        started_at="2026-11-23 08:00:00 UTC",
        seed=7,
        calm=False,
        holds="",
        deadline=1.0,
        settings={"CLINIC_POOL_TIMEOUT": "1"},
        versions={"database": "MariaDB 10.11.19"},
        stages=STAGES,
        focus="spike",
        fault="",
        fault_bounds=[],
        traffic_began=BEGAN,
        began=0.0,
        samples=samples,
        results=RESULTS,
        marks=MARKS,
        thresholds={"response p95": 2.0, "wait p95": 1.0},
        bookings=1234,
        slo="SLO met: <b>0.00%</b> failed.",
    )


def waterfall_of(requests: float) -> Parts:
    """Searches that mostly wait for a connection, and fewer bookings, that are mostly SQL."""
    if not requests:
        return {}
    return {
        "/api/v1/slots": {
            "requests": requests,
            "pool_wait": requests * 0.2,
            "sql": requests * 0.03,
            "rest": requests * 0.01,
        },
        "/api/v1/appointments": {"requests": requests / 2, "sql": requests * 0.02},
    }
