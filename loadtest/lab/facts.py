"""The numbers behind a verdict, read from the samples of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from loadtest.lab.curves import growth, quantile
from loadtest.lab.results import StageResult
from loadtest.lab.run import Run
from loadtest.lab.samples import PoolSample, Sample
from loadtest.scenario import Stage


@dataclass(frozen=True)
class StageFacts:
    """One stage: what was asked, what came back, and what the pool did; None without a sample."""

    stage: Stage
    result: StageResult
    wait_p95: float | None
    most_in_use: float | None
    most_waiting: float | None


@dataclass(frozen=True)
class Facts:
    """The pool over a whole run; times in seconds."""

    limit: float
    most_in_use: float
    most_overflow: float
    most_waiting: float
    seconds_waiting: float
    longest_wait: float
    timeouts: float
    waiting_at_end: float
    seconds_silent: float
    recovered_after: float | None
    stages: list[StageFacts]


def facts(run: Run) -> Facts:
    """Return what happened; needs at least one sample in which the pool answered.

    Raises ValueError when there is none.
    """
    pools = [sample.pool for sample in run.samples if sample.pool]
    if not pools:
        raise ValueError("the application's metrics never answered")
    return Facts(
        limit=max(pool.maximum for pool in pools),
        most_in_use=max(pool.in_use for pool in pools),
        most_overflow=max(pool.overflow for pool in pools),
        most_waiting=max(pool.waiting for pool in pools),
        seconds_waiting=seconds_waiting(run.samples),
        longest_wait=max(max(pool.oldest_wait, pool.wait_peak) for pool in pools),
        timeouts=pools[-1].timeouts - pools[0].timeouts,
        waiting_at_end=pools[-1].waiting,
        seconds_silent=seconds_silent(run.samples),
        recovered_after=_recovered_after(run),
        stages=_stages(run),
    )


def seconds_waiting(samples: Sequence[Sample]) -> float:
    """Return for how long threads waited; a sample stands for the time since the one before."""
    return sum(
        now.at - before.at for before, now in pairwise(samples) if now.pool and now.pool.waiting
    )


def seconds_silent(samples: Sequence[Sample]) -> float:
    """Return for how long the application's metrics did not answer, once they had."""
    answered = [sample.at for sample in samples if sample.pool]
    usual = median(now - before for before, now in pairwise(answered)) if answered[1:] else 0.0
    gaps = (now - before - usual for before, now in pairwise(answered))
    return sum(gap for gap in gaps if gap > usual)


def _recovered_after(run: Run) -> float | None:
    """Return the seconds from the end of the stage in focus until nobody waits; None if never."""
    end = bounds(run)[run.focus][1]
    for sample in run.samples:
        if sample.at >= end and sample.pool and not sample.pool.waiting:
            return max(0.0, sample.at - end)
    return None


def bounds(run: Run) -> dict[str, tuple[float, float]]:
    """Return when each stage begins and ends, as the samples' times are."""
    start = run.began
    bounds = {}
    for stage in run.stages:
        bounds[stage.name] = (start, start + stage.seconds)
        start += stage.seconds
    return bounds


def _stages(run: Run) -> list[StageFacts]:
    found = []
    for stage, result in zip(run.stages, run.results, strict=False):
        begin, end = bounds(run)[stage.name]
        pools = [s.pool for s in run.samples if s.pool and begin <= s.at <= end]
        found.append(_stage(stage, result, pools))
    return found


def _stage(stage: Stage, result: StageResult, pools: list[PoolSample]) -> StageFacts:
    return StageFacts(
        stage=stage,
        result=result,
        wait_p95=quantile(growth(pools[0].waits, pools[-1].waits), 0.95) if pools else None,
        most_in_use=max((pool.in_use for pool in pools), default=None),
        most_waiting=max((pool.waiting for pool in pools), default=None),
    )
