from __future__ import annotations

from dataclasses import replace

import pytest

from loadtest.lab.facts import facts
from loadtest.lab.run import Run
from loadtest.lab.samples import Sample
from loadtest.lab.verdict import explanation, headline
from loadtest.slo import Result, Slo, breaches
from loadtest.stages import SPIKE, STRESS, duration, stage_at
from tests.loadtest.runs import pool, spike


def text(run: Run) -> str:
    return " ".join(explanation(run, facts(run)))


def test_a_full_pool_is_told_with_its_numbers() -> None:
    assert headline(facts(spike())) == (
        "The pool was full for 4 s: up to 20 threads waited for one of 12 connections, "
        "the longest seen for 2.0 s."
    )
    assert "Nobody waited as long as pool_timeout (1 s)." in text(spike())
    assert "1 s after the peak ended, nobody waited any more." in text(spike())
    assert "From 8 to 200 users" in text(spike())


def test_a_calm_pool_is_told() -> None:
    run = spike(waiting=0)
    assert headline(facts(run)).startswith("The pool was never full: at most 2 of 12 connections")
    assert "waited" not in text(run)


def test_timeouts_are_told() -> None:
    assert "7 requests got no connection within pool_timeout (1 s)" in text(spike(timeouts=7))


def test_a_pool_that_did_not_recover_is_told() -> None:
    run = spike()
    stuck = [replace(sample, pool=pool(waiting=5)) for sample in run.samples[5:]]
    run = replace(run, samples=[*run.samples[:5], *stuck])
    assert "When the recording ended, 5 threads still waited." in text(run)


def test_an_interrupted_run_says_so() -> None:
    run = replace(spike(), samples=spike().samples[:6], ended_early="somebody stopped it.")
    assert text(run).startswith("This run ended early: somebody stopped it.")


def test_stage_numbers_come_from_that_stage_alone() -> None:
    base, peak, recovery = facts(spike()).stages
    assert (base.name, base.users, base.most_waiting) == ("base", 8, 0)
    assert (peak.users, peak.most_waiting, peak.most_in_use) == (200, 20, 12)
    assert peak.requests_per_second == pytest.approx(100)
    assert peak.failed_share == pytest.approx(0.01)
    assert peak.p95 == pytest.approx(0.19)
    assert recovery.users == 8


def test_a_run_without_any_answer_has_no_facts() -> None:
    with pytest.raises(ValueError, match="never answered"):
        facts(replace(spike(), samples=[Sample(0.0, None, None)]))


def test_slo_names_what_was_expected_and_found() -> None:
    missed = breaches(Slo(0.01, 500), Result(1000, 0.02, 700))
    assert missed == [
        "expected at most 1.00% failed requests, found 2.00% of 1000",
        "expected a p95 of at most 500 ms, found 700 ms",
    ]


def test_slo_that_is_just_met() -> None:
    assert breaches(Slo(0.01, 500), Result(1000, 0.01, 500)) == []


def test_slo_of_a_run_without_requests_is_missed() -> None:
    assert breaches(Slo(1, 500), Result(0, 0, 0)) == ["expected at least one request, found none"]


def test_the_spike_is_short_and_sharp() -> None:
    assert 60 <= duration(SPIKE) <= 75
    users = [stage.users for stage in SPIKE]
    # More than all threads of two workers, so that every one is busy.
    assert users[1] > 2 * 16 * 2
    assert users[0] == users[2] < 12
    assert stage_at(SPIKE, 9.9) == SPIKE[0]
    assert stage_at(SPIKE, 10) == SPIKE[1]
    assert stage_at(SPIKE, 34.9) == SPIKE[1]
    assert stage_at(SPIKE, 35) == SPIKE[2]
    assert stage_at(SPIKE, 60) is None


def test_stress_only_rises() -> None:
    users = [stage.users for stage in STRESS]
    assert users == sorted(set(users))
    assert users[-1] == 400
