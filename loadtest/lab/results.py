"""What those who asked got: exact, from the log of every request."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtest.lab.curves import growth, quantile
from loadtest.lab.samples import Sample
from loadtest.records import Request
from loadtest.scenario import Stage

WHOLE = "all"  # stages together
LARGEST_LAG = 0.1  # seconds, for 99 of 100 arrivals
LARGEST_CPU = 0.9  # of the one processor that a generator can use
CPU_WINDOW = 5.0  # seconds
COMPLETE = 0.99  # of the requests that were counted, at least


@dataclass(frozen=True)
class StageResult:
    """The requests that were due in a stage; times in seconds from then, None without any.

    ``good`` were answered well within the deadline, ``late`` well but after it: work wasted.
    """

    name: str
    seconds: float
    requests: int
    good: int
    late: int
    failed: int
    p50: float | None
    p95: float | None
    p99: float | None
    longest: float | None

    @property
    def failed_share(self) -> float:
        """Of all requests."""
        return self.failed / self.requests if self.requests else 0.0

    @property
    def goodput(self) -> float:
        """Good answers per second."""
        return self.good / self.seconds


def by_stage(
    requests: Iterable[Request], stages: Sequence[Stage], began: float, deadline: float
) -> list[StageResult]:
    """Return a result for each stage, and the last for all of them.

    Args:
        began: the traffic's begin, seconds since 1970.
        deadline: after which an answer is of no use, seconds.
    """
    everything = list(requests)
    found, begin = [], began
    for stage in stages:
        end = begin + stage.seconds
        of_stage = [one for one in everything if begin <= one.due < end]
        found.append(_result(stage.name, stage.seconds, of_stage, deadline))
        begin = end
    return [*found, _result(WHOLE, begin - began, everything, deadline)]


def _result(name: str, seconds: float, requests: Sequence[Request], deadline: float) -> StageResult:
    answered = [one for one in requests if one.good]
    good = sum(one.seconds <= deadline for one in answered)
    times = sorted(one.seconds for one in requests)
    return StageResult(
        name=name,
        seconds=seconds,
        requests=len(requests),
        good=good,
        late=len(answered) - good,
        failed=len(requests) - len(answered),
        p50=percentile(times, 0.5),
        p95=percentile(times, 0.95),
        p99=percentile(times, 0.99),
        longest=times[-1] if times else None,
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile of sorted values; None when there are none."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def bottleneck(samples: Sequence[Sample]) -> str:
    """Return why the generator, and not the target, limited the run; empty when it did not."""
    loads = [(sample.at, sample.load) for sample in samples if sample.load]
    if len(loads) < 2:
        return ""
    lag = quantile(growth(loads[0][1].lags, loads[-1][1].lags), 0.99)
    if lag is not None and lag > LARGEST_LAG:
        return (
            f"one of 100 requests was sent {lag * 1000:.0f} ms or more after it was due, and at "
            f"most {LARGEST_LAG * 1000:.0f} ms is accepted: the generator was too slow"
        )
    share = _busiest([(at, load.cpu_seconds) for at, load in loads])
    if share > LARGEST_CPU:
        return (
            f"the generator used {share:.0%} of the one processor that it can use, and at most "
            f"{LARGEST_CPU:.0%} is accepted: send less, or with --processes 2"
        )
    return ""


def gap(whole: StageResult, samples: Sequence[Sample]) -> str:
    """Return why the log of requests cannot be complete; empty when it can."""
    loads = [sample.load for sample in samples if sample.load]
    sent = loads[-1].requests if loads else 0.0
    if whole.requests >= COMPLETE * sent:
        return ""
    return (
        f"{sent:.0f} requests were sent, and only {whole.requests} are in the log: it could not be "
        "written, the disk may be full"
    )


def _busiest(cpu: Sequence[tuple[float, float]]) -> float:
    """Return the largest share of a processor over CPU_WINDOW."""
    shares, first = [0.0], 0
    for at, seconds in cpu:
        while first + 1 < len(cpu) and cpu[first + 1][0] <= at - CPU_WINDOW:
            first += 1
        if at - cpu[first][0] >= CPU_WINDOW:
            shares.append((seconds - cpu[first][1]) / (at - cpu[first][0]))
    return max(shares)
