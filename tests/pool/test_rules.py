"""The rules: each is silent where all is well, speaks on the boundary, and is right to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from app.pool.rules import RULES, Finding, Setup, Severity, examine

SOUND = Setup(
    workers=2,
    threads=16,
    replicas=1,
    pool_size=4,
    pool_max_overflow=2,
    pool_timeout=1,
    pool_recycle=1800,
    db_connect_timeout=2,
    db_lock_wait_timeout=5,
    db_max_execution_time=8,
    db_read_timeout=10,
    db_reserved_connections=10,
    proxy_timeout=15,
    graceful_timeout=20,
    max_connections=151,
    wait_timeout=28800,
)
LADDER = (
    "pool_timeout",
    "db_connect_timeout",
    "db_lock_wait_timeout",
    "db_max_execution_time",
    "db_read_timeout",
)

small = st.integers(1, 30)


def findings(**changes: Any) -> dict[str, Finding]:
    """What is found by rule when *changes* are made to what is sound."""
    return {f.rule: f for f in examine(replace(SOUND, **changes)).findings}


def broken(**changes: Any) -> set[str]:
    return set(findings(**changes))


def test_nothing_is_found_where_all_is_well() -> None:
    report = examine(SOUND)
    assert report.findings == ()
    assert report.skipped == ()


@pytest.mark.parametrize(
    ("rule", "silent", "firing"),
    [
        ("unreachable-connections", {"threads": 6}, {"threads": 5}),
        ("unreachable-connections", {"threads": 3, "held_at_once": 2}, {"threads": 5}),
        ("hidden-queue", {"threads": 12}, {"threads": 11}),
        ("hidden-queue", {"pool_size": 6}, {"pool_size": 7}),
        ("nested-checkout", {"held_at_once": 1}, {"held_at_once": 2}),
        (
            "nested-checkout",
            {"threads": 5, "held_at_once": 2},
            {"threads": 6, "held_at_once": 2},
        ),
        ("budget", {"max_connections": 22}, {"max_connections": 21}),
        ("budget", {"replicas": 11}, {"replicas": 12}),
        ("rolling-restart", {"max_connections": 34}, {"max_connections": 33}),
        ("recycle", {"wait_timeout": 1801}, {"wait_timeout": 1800}),
        ("recycle", {"pool_recycle": 0}, {"pool_recycle": -1}),
        ("timeout-order", {"pool_timeout": 1.9}, {"pool_timeout": 2}),
        ("timeout-order", {"db_connect_timeout": 4.9}, {"db_connect_timeout": 5}),
        ("timeout-order", {"db_lock_wait_timeout": 7}, {"db_lock_wait_timeout": 8}),
        ("timeout-order", {"db_max_execution_time": 9.9}, {"db_max_execution_time": 10}),
        ("timeout-order", {"db_read_timeout": 14.9}, {"db_read_timeout": 15}),
        ("timeout-order", {"graceful_timeout": 10.1}, {"graceful_timeout": 10}),
        ("longest-wait", {"db_read_timeout": 11.9}, {"db_read_timeout": 12}),
        ("unlimited-pool", {"pool_max_overflow": 0}, {"pool_max_overflow": -1}),
        ("unlimited-pool", {"pool_size": 1}, {"pool_size": 0}),
    ],
)
def test_rule_and_its_boundary(
    rule: str, silent: dict[str, float], firing: dict[str, float]
) -> None:
    assert rule not in broken(**silent)
    assert rule in broken(**firing)


@pytest.mark.parametrize(
    ("changes", "only"),
    [
        ({"threads": 5}, "unreachable-connections"),  # and not that there are few threads, too
        ({"replicas": 12}, "budget"),  # and not that it fits even less in a restart
        ({"db_read_timeout": 15, "graceful_timeout": 16}, "timeout-order"),  # not longest-wait
        ({"pool_max_overflow": -1}, "unlimited-pool"),
    ],
)
def test_one_problem_is_one_finding(changes: dict[str, float], only: str) -> None:
    assert broken(**changes) == {only}


def test_errors_come_first() -> None:
    report = examine(replace(SOUND, threads=6, db_read_timeout=15))
    assert [(finding.rule, finding.severity) for finding in report.findings] == [
        ("timeout-order", Severity.ERROR),
        ("hidden-queue", Severity.WARNING),
    ]


@pytest.mark.parametrize(
    ("unknown", "skipped"),
    [
        ("max_connections", ["budget", "rolling-restart"]),
        ("wait_timeout", ["recycle"]),
        ("proxy_timeout", ["timeout-order", "longest-wait"]),
        ("graceful_timeout", ["timeout-order"]),
    ],
)
def test_what_needs_the_unknown_is_skipped_and_told(unknown: str, skipped: list[str]) -> None:
    changes: dict[str, Any] = {unknown: None}
    report = examine(replace(SOUND, **changes))
    assert report.findings == ()
    assert [(each.rule, each.unknown) for each in report.skipped] == [
        (rule, (unknown,)) for rule in skipped
    ]


def test_an_unlimited_pool_is_counted_by_its_threads() -> None:
    found = findings(pool_max_overflow=-1, replicas=5)
    assert "2 workers x (16 + 0) x 5 replicas = 160" in found["budget"].what


def test_findings_name_a_setting_and_are_sentences() -> None:
    everything = [
        {"pool_size": 0},
        {"threads": 1},
        {"threads": 7},
        {"held_at_once": 3},
        {"replicas": 500},
        {"replicas": 11},
        {"pool_recycle": -1},
        {"db_read_timeout": 13},
        *({name: 500} for name in LADDER),
    ]
    found = [f for changes in everything for f in findings(**changes).values()]
    assert {f.rule for f in found} == {rule.name for rule in RULES}
    for finding in found:
        assert hasattr(SOUND, finding.setting)
        for sentence in (finding.what, finding.why, finding.advice):
            assert sentence.endswith(".")


def test_advice_that_is_impossible_is_not_given() -> None:
    assert findings(threads=1)["unreachable-connections"].advice == "Raise threads to 12."
    assert "lower threads" not in findings(held_at_once=8)["nested-checkout"].advice
    assert "pool_size" not in findings(replicas=200)["budget"].advice


@given(st.lists(st.integers(1, 14), min_size=5, max_size=5))
def test_timeouts_are_out_of_order_unless_each_is_above_the_one_before(values: list[int]) -> None:
    ascending = values == sorted(set(values))
    named = dict(zip(LADDER, values, strict=True))
    assert ("timeout-order" in broken(**named)) is not ascending


@given(threads=small, size=small, overflow=st.integers(0, 30))
def test_either_half_of_the_advice_on_threads_helps(threads: int, size: int, overflow: int) -> None:
    rules = {"unreachable-connections", "hidden-queue"}
    limit = size + overflow
    pool = {"pool_size": size, "pool_max_overflow": overflow}
    found = broken(threads=threads, **pool) & rules
    assert len(found) == (threads < 2 * limit)
    assert not broken(threads=2 * limit, **pool) & rules
    if threads > 1:
        assert not broken(threads=threads, pool_size=threads // 2, pool_max_overflow=0) & rules


@given(workers=small, replicas=small, size=small, granted=st.integers(1, 2000))
def test_the_advice_on_the_budget_helps(
    workers: int, replicas: int, size: int, granted: int
) -> None:
    fleet = {"workers": workers, "replicas": replicas, "pool_max_overflow": 0}
    found = broken(**fleet, pool_size=size, max_connections=granted + 10)
    assert ("budget" in found) is (workers * replicas * size > granted)
    share = granted // (workers * (replicas + 1))
    if share:
        fitting = broken(**fleet, pool_size=share, max_connections=granted + 10)
        assert not fitting & {"budget", "rolling-restart"}


@given(threads=small, held=st.integers(2, 5), limit=small)
def test_nested_checkouts_lock_exactly_below_the_bound(threads: int, held: int, limit: int) -> None:
    # The worst case: every connection is with a thread that still lacks one.
    locks = limit <= threads * (held - 1)
    found = broken(threads=threads, held_at_once=held, pool_size=limit, pool_max_overflow=0)
    assert ("nested-checkout" in found) is locks


@pytest.mark.parametrize(("limit", "locks"), [(3, True), (4, False)])
def test_a_real_pool_locks_exactly_below_the_bound(tmp_path: Path, limit: int, locks: bool) -> None:
    engine = create_engine(
        f"sqlite:///{tmp_path}/pool.db",
        poolclass=QueuePool,
        pool_size=limit,
        max_overflow=0,
        pool_timeout=0.3 if locks else 10,
        connect_args={"check_same_thread": False},
    )
    refused = sum(hold_two(engine, threads=3))
    engine.dispose()
    assert (refused > 0) is locks
    found = broken(threads=3, held_at_once=2, pool_size=limit, pool_max_overflow=0)
    assert ("nested-checkout" in found) is locks


def hold_two(engine: Engine, threads: int) -> list[bool]:
    """For each of *threads* that hold one connection and ask for another: was it refused?"""
    all_hold_one = Barrier(threads)

    def ask(_: int) -> bool:
        with engine.connect():
            all_hold_one.wait(5)
            try:
                engine.connect().close()
            except PoolTimeout:
                return True
            return False

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(ask, range(threads)))
