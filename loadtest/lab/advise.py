"""What to set the pool to, and why: from a sweep, or from a live system's own metrics."""

import importlib.util
import json
import os
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from loadtest.lab.errors import LabError
from loadtest.lab.predictors import Prediction, Workload, predictions, sample_of
from loadtest.lab.samples import TIMEOUT
from loadtest.lab.statistics import Estimate, estimate, next_bounds, settled
from loadtest.lab.sweep import Setting, Sweep, Tried

PEAK_SHARE = 0.99
GOOD_SHARE = 0.99  # of what arrives; a pool that loses more is no recommendation
FEWEST_TRIES = 3

# The rungs above pool_timeout, seconds: the application's defaults, and nginx's.
CONNECT, LOCK_WAIT, EXECUTION, READ, PROXY = 2.0, 5.0, 8.0, 10.0, 15.0
FEWEST_CHECKOUTS = 500


@dataclass(frozen=True)
class Row:
    """One setting that was tried, in figures; times in seconds."""

    setting: Setting
    goodput: Estimate
    wait_p95: Estimate | None
    next_wait: float  # what the next try's stays below, in 95 of 100 cases
    tries: int
    meets: bool


@dataclass(frozen=True)
class Advice:
    """The recommendation with its reasons; without one, ``problem`` says why.

    Attributes:
        wait: the objective for the 95th percentile of the wait, seconds.
        rows: what was tried, by size; empty for a live system.
        measured: connections of all workers that the recommendation has.
        findings: what the settings' rules say about it.
    """

    wait: float
    rate: float
    hold: float
    problem: str = ""
    setting: Setting | None = None
    measured: int | None = None
    rows: list[Row] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def from_sweep(sweep: Sweep, wait: float, cores: int | None) -> Advice:
    """Recommend the smallest pool within 1 % of peak goodput that meets the wait objective.

    Args:
        wait: seconds, for the 95th percentile.
        cores: of the database server, where they are known.
    """
    valid = [one for one in sweep.tried if one.valid]
    bounds = next_bounds([_waits(one) for one in valid])
    rows = [_row(one, wait, sweep.rate, bound) for one, bound in zip(valid, bounds, strict=True)]
    if not rows:
        return Advice(wait, sweep.rate, 0.0, problem="not enough data: no try was valid")
    rows.sort(key=lambda row: (row.setting.limit, row.setting))
    rate = max(_middle(one, "checkouts") for one in sweep.tried if one.valid)
    peak = max(row.goodput.value for row in rows)
    good = [row for row in rows if row.meets and row.goodput.value >= PEAK_SHARE * peak]
    hold = _hold(sweep, good)
    work = Workload(rate, hold, wait, _holds(sweep), cores, _points(sweep))
    problem = _problem(rows, good, peak, sweep)
    best = good[0] if good and not problem else None
    return Advice(
        wait,
        sweep.rate,
        hold,
        problem,
        best.setting if best else None,
        best.setting.limit if best else None,
        rows,
        predictions(work),
        _reasons(best, peak, wait, sweep) if best else [],
        lint(best.setting) if best else [],
    )


def from_prometheus(url: str, minutes: float, wait: float, cores: int | None) -> Advice:
    """Predict from what a live system has done in the last *minutes*; nothing was tried.

    Raises:
        LabError: Prometheus does not answer.
    """
    window = f"{round(minutes * 60)}s"
    uses = _ask(url, f"sum(increase(db_client_connection_use_time_seconds_count[{window}]))")
    if uses < FEWEST_CHECKOUTS:
        problem = (
            f"not enough data: {uses:.0f} checkouts in {minutes:g} minutes, and at least "
            f"{FEWEST_CHECKOUTS} are needed"
        )
        return Advice(wait, 0.0, 0.0, problem)
    seconds = minutes * 60
    use = _ask(url, f"sum(increase(db_client_connection_use_time_seconds_sum[{window}]))")
    ping = _ask(url, f"sum(increase(sqlalchemy_pool_ping_seconds_sum[{window}]))")
    busiest = _ask(
        url,
        f"max_over_time(sum(rate(db_client_connection_use_time_seconds_count[1m]))[{window}:15s])",
    )
    rate, hold = max(busiest, uses / seconds), (use + ping) / uses
    work = Workload(rate, hold, wait, _live_holds(url, window), cores)
    found = predictions(work)
    reasons = [
        f"In its busiest minute it had {rate:.3g} checkouts/s of {hold * 1000:.3g} ms each.",
        f"Its pools may open {_ask(url, 'sum(db_client_connection_max)'):.0f} connections.",
        "Nothing was tried: these are predictions. A sweep on a copy of it would measure.",
    ]
    return Advice(wait, rate, hold, predictions=found, reasons=reasons)


def ladder(setting: Setting, hold: float, deadline: float) -> list[tuple[str, str]]:
    """Return the timeouts from the inside out, so that each failure is told by who knows it."""
    pool = max(0.1, min(setting.pool_timeout, deadline - 2 * hold))
    return [
        ("CLINIC_POOL_TIMEOUT", f"{pool:.2g} s: below the client's {deadline:g} s less the work"),
        ("CLINIC_DB_CONNECT_TIMEOUT", f"{CONNECT:g} s: above the former"),
        ("CLINIC_DB_LOCK_WAIT_TIMEOUT", f"{LOCK_WAIT:g} s"),
        ("CLINIC_DB_MAX_EXECUTION_TIME", f"{EXECUTION:g} s: the server ends a SELECT first"),
        ("CLINIC_DB_READ_TIMEOUT", f"{READ:g} s: below the proxy's {PROXY:g} s"),
    ]


def lint(setting: Setting) -> list[str]:
    """Return what the application's own rules say about a setting, where they are installed.

    What was not swept is taken to be as the application and MySQL have it by default.
    """
    if importlib.util.find_spec("sqlalchemy") is None or importlib.util.find_spec("app") is None:
        return ["The application is not installed here, so its rules were not asked."]
    from app.pool.rules import Setup, examine

    setup = Setup(
        workers=setting.workers,
        threads=setting.threads,
        replicas=1,
        pool_size=setting.pool_size,
        pool_max_overflow=setting.max_overflow,
        pool_timeout=setting.pool_timeout,
        pool_recycle=1800,
        db_connect_timeout=CONNECT,
        db_lock_wait_timeout=LOCK_WAIT,
        db_max_execution_time=EXECUTION,
        db_read_timeout=READ,
        db_reserved_connections=10,
        proxy_timeout=PROXY,
        graceful_timeout=20,
        max_connections=151,
    )
    return [f"{one.severity}: {one.what} {one.advice}" for one in examine(setup).findings]


def is_settled(tried: Tried, wait: float) -> bool:
    """Tell whether another try would not change what is said of a setting."""
    waits = _waits(tried)
    if len(waits) < FEWEST_TRIES or not settled([one.good_share for one in tried.valid]):
        return False
    found = estimate(waits)
    return found.high <= wait or found.low > wait


def _waits(tried: Tried) -> list[float]:
    return [one.wait_p95 for one in tried.valid if one.wait_p95 is not None]


def _row(tried: Tried, wait: float, rate: float, bound: float) -> Row:
    goodput = estimate([one.good_share * rate for one in tried.valid])
    waits = _waits(tried)
    wait_p95 = estimate(waits) if waits else None
    # What is recommended has to keep the objective the next time too.
    meets = wait_p95 is not None and max(wait_p95.high, bound) <= wait
    return Row(tried.setting, goodput, wait_p95, bound, len(tried.valid), meets)


def _middle(tried: Tried, name: str) -> float:
    return median(float(getattr(one, name)) for one in tried.valid)


def _hold(sweep: Sweep, good: list[Row]) -> float:
    """Return the median hold where the pool is no bottleneck, or else anywhere."""
    settings = {row.setting for row in good}
    tried = [one for one in sweep.tried if one.valid]
    chosen = [one for one in tried if one.setting in settings] or tried
    return median(_middle(one, "hold") for one in chosen)


def _holds(sweep: Sweep) -> list[float]:
    largest = max((one for one in sweep.tried if one.valid), key=lambda one: one.setting.limit)
    return sample_of(largest.valid[-1].holds)


def _points(sweep: Sweep) -> list[tuple[float, float]]:
    """Return (connections, checkouts/s) of the pools that were saturated: that is their X(N)."""
    return [
        (float(tried.setting.limit), one.checkouts)
        for tried in sweep.tried
        for one in tried.valid
        if one.checkouts * one.hold >= 0.9 * tried.setting.limit
    ]


def _problem(rows: list[Row], good: list[Row], peak: float, sweep: Sweep) -> str:
    if min(row.tries for row in rows) < FEWEST_TRIES:
        return "not enough data: each setting needs at least three valid tries"
    if not any(row.meets for row in rows):
        return "no setting that was tried meets the wait objective: try larger pools"
    if not good:
        return (
            "no setting meets the wait objective within 1 % of the peak's goodput: the wait is "
            "not for connections, or the pools that were tried are too small"
        )
    if peak < GOOD_SHARE * sweep.rate * 0.9:
        return (
            f"the best setting answers {peak:.3g} of {sweep.rate:.3g} arrivals/s well: something "
            "else than the pool is too small"
        )
    return ""


def _reasons(best: Row, peak: float, wait: float, sweep: Sweep) -> list[str]:
    return [
        f"It is the smallest that was tried within 1 % of the peak: {best.goodput.value:.4g} of "
        f"{peak:.4g} good answers/s ({best.goodput.low:.4g} to {best.goodput.high:.4g}, "
        f"{best.tries} tries).",
        f"95 of 100 waits of the next run take at most {best.next_wait * 1000:.3g} ms, by how "
        f"much the tries differed, and {wait * 1000:g} ms are allowed.",
        f"Good is an answer within {sweep.deadline:g} s of when it was due.",
    ]


def _ask(url: str, query: str) -> float:
    found = _query(url, query)
    return float(found[0]["value"][1]) if found else 0.0


def _live_holds(url: str, window: str) -> list[float]:
    query = f"sum by (le) (increase(db_client_connection_use_time_seconds_bucket[{window}]))"
    buckets = [(float(one["metric"]["le"]), float(one["value"][1])) for one in _query(url, query)]
    return sample_of(sorted(buckets))


def _query(url: str, query: str) -> list[dict[str, Any]]:
    address = f"{url.rstrip('/')}/api/v1/query?" + urllib.parse.urlencode(
        {"query": query, "time": time.time()}
    )
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:  # noqa: S310
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found
    except (OSError, ValueError, KeyError) as error:
        raise LabError(f"{url} does not answer as a Prometheus does: {error}") from error


def cores_here() -> int | None:
    """Return the processors of this machine, which has the embedded database too."""
    return os.cpu_count()
