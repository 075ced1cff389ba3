"""Curves from samples: gauges as they are, rates and percentiles from what only grows."""

from collections.abc import Callable, Sequence

from loadtest.lab.samples import Buckets, LoadSample, PoolSample, Sample

Curve = list[float | None]
"""A value for each sample; None where there is nothing to say, which is drawn as a gap."""

WINDOW = 2.5  # seconds that a percentile looks back over, at least; one has too few requests


def of_pool(samples: Sequence[Sample], value: Callable[[PoolSample], float]) -> Curve:
    """Return a gauge of the pool."""
    return [value(sample.pool) if sample.pool else None for sample in samples]


def of_load(samples: Sequence[Sample], value: Callable[[LoadSample], float]) -> Curve:
    """Return a gauge of the load."""
    return [value(sample.load) if sample.load else None for sample in samples]


def rate(samples: Sequence[Sample], counter: Curve) -> Curve:
    """Return a counter's growth per second between neighbouring samples."""
    times = [sample.at for sample in samples]
    return [
        None if before is None or now is None else max(0.0, now - before) / (end - begin)
        for begin, end, before, now in zip(
            [0.0, *times], times, [None, *counter], counter, strict=False
        )
    ]


def percentile(samples: Sequence[Sample], buckets: Sequence[Buckets | None], share: float) -> Curve:
    """Return the percentile (seconds) of what was observed in WINDOW, or since the last sample."""
    result: Curve = []
    first = 0
    for index, now in enumerate(buckets):
        while first < index - 1 and samples[first + 1].at <= samples[index].at - WINDOW:
            first += 1
        before = buckets[first]
        result.append(quantile(growth(before, now), share) if now and before else None)
    return result


def quantile(buckets: Buckets, share: float) -> float | None:
    """Return the quantile of a cumulative histogram as Prometheus does; None when it is empty."""
    total = max(buckets.values(), default=0.0)
    lower, below = 0.0, 0.0
    for upper, count in sorted(buckets.items()):
        if count >= total * share and count > below:
            if upper == float("inf"):
                return lower
            return lower + (upper - lower) * (total * share - below) / (count - below)
        lower, below = upper, count
    return None


def growth(before: Buckets, now: Buckets) -> Buckets:
    """Return what was observed between two states of one histogram."""
    return {bound: count - before.get(bound, 0.0) for bound, count in now.items()}
