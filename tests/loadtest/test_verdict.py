from __future__ import annotations

from dataclasses import replace

import pytest

from loadtest.lab.facts import facts
from loadtest.lab.run import Run
from loadtest.lab.samples import Sample
from loadtest.lab.sources import Alert
from loadtest.lab.verdict import explanation, headline, mark_line, milliseconds, silent_alerts
from loadtest.lab.waterfall import waterfall
from loadtest.slo import Result, Slo, breaches
from loadtest.stages import SPIKE, STRESS, stage_at
from tests.loadtest.runs import MARKS, RESULTS, pool, result, spike, waterfall_of


def text(run: Run) -> str:
    return " ".join(explanation(run))


def test_a_full_pool_is_told_with_its_numbers() -> None:
    assert headline(spike()) == (
        "The pool was full for 4 s: up to 20 threads waited for one of 12 connections, "
        "the longest seen for 2.0 s."
    )
    assert "Nobody waited as long as pool_timeout (1 s)." in text(spike())
    assert "1 s after spike ended, nobody waited any more." in text(spike())


@pytest.mark.parametrize("waiting", [3, 17])
def test_the_headlines_numbers_come_from_the_data(waiting: int) -> None:
    said = headline(spike(waiting=waiting))
    assert f"up to {waiting} threads" in said
    assert f"for {milliseconds(waiting / 10)}." in said
    run = spike(waiting=waiting)
    shorter = [replace(sample, pool=pool(0)) for sample in run.samples[6:]]
    said = headline(replace(run, samples=[*run.samples[:6], *shorter]))
    assert "full for 2 s" in said


def test_the_longest_wait_is_also_one_between_two_samples() -> None:
    run = spike()
    peak = replace(run.samples[5].pool or pool(), wait_peak=3.25)
    samples = [*run.samples[:5], replace(run.samples[5], pool=peak), *run.samples[6:]]
    assert "the longest seen for 3.2 s" in headline(replace(run, samples=samples))


def test_a_calm_pool_is_told() -> None:
    run = spike(waiting=0)
    assert headline(run).startswith("The pool was never full: at most 2 of 12 connections")
    assert "waited" not in text(run)
    full = [replace(sample, pool=pool(in_use=12)) for sample in run.samples]
    assert headline(replace(run, samples=full)).startswith(
        "The pool was never full for long: at most 12 of 12 connections"
    )


def test_an_invalid_run_says_nothing_else_first() -> None:
    run = replace(spike(), invalid="the generator was too slow")
    assert headline(run) == "This run is invalid: the generator was too slow."


def test_whether_bookings_were_kept_is_told_where_the_database_could_be_asked() -> None:
    assert "bookings" not in text(spike()), "nobody could be asked"
    kept = text(replace(spike(), broken=[]))
    assert "All 1,234 bookings that were answered 201 are in the database" in kept
    assert "bookings" not in text(replace(spike(), broken=[], bookings=0))
    lost = replace(spike(), broken=["2 slots are booked twice", "1 booking is lost"])
    assert "Broken: 2 slots are booked twice; 1 booking is lost." in text(lost)
    assert "All" not in text(lost)


def test_for_how_long_nobody_answered_is_told() -> None:
    run = spike()
    silent = [replace(one, pool=None) if 2 <= one.at <= 4 else one for one in run.samples]
    assert facts(replace(run, samples=silent)).seconds_silent == 3
    assert "metrics did not answer for 3 s." in text(replace(run, samples=silent))
    assert "did not answer" not in text(run)
    late = [replace(one, at=one.at * 5) for one in run.samples]
    assert facts(replace(run, samples=late)).seconds_silent == 0, "they are seldom asked"


def test_timeouts_are_told() -> None:
    assert "7 requests got no connection within pool_timeout (1 s)" in text(spike(timeouts=7))
    assert "1 request got no connection" in text(spike(timeouts=1))


def test_a_pool_that_did_not_recover_is_told() -> None:
    run = spike()
    stuck = [replace(sample, pool=pool(waiting=5)) for sample in run.samples[5:]]
    run = replace(run, samples=[*run.samples[:5], *stuck])
    assert "When the recording ended, 5 threads still waited." in text(run)


def test_an_interrupted_run_says_so() -> None:
    run = replace(spike(), samples=spike().samples[:6], ended_early="somebody stopped it.")
    assert text(run).startswith("This run ended early: somebody stopped it.")
    over = replace(run, samples=[*run.samples[:5], replace(run.samples[5], pool=pool(0))])
    assert "The recording ended before spike did." in text(over)


def test_the_stage_in_which_answers_took_longest_is_told() -> None:
    assert (
        "From base to spike the 95th percentile of the response time went from 80 ms to 900 ms; "
        "that of the wait for a connection was 290 ms." in text(spike())
    )
    later = [RESULTS[0], RESULTS[1], replace(RESULTS[2], p95=4.0), RESULTS[3]]
    assert "From base to recovery the 95th" in text(replace(spike(), results=later))
    assert "From base" not in text(replace(spike(), results=[]))


def test_where_most_time_went_is_told() -> None:
    assert (
        "Most time went to /api/v1/slots: 240 ms a request, of which 200 ms waiting for a "
        "connection." in text(spike())
    )
    bare = [replace(sample, pool=pool()) for sample in spike().samples]
    assert "Most time" not in text(replace(spike(), samples=bare))


def test_the_waterfall_is_of_the_run_alone() -> None:
    samples = [
        Sample(float(at), pool(parts=waterfall_of(1000.0 + at * 50)), None) for at in range(3)
    ]
    slots, bookings = waterfall(replace(spike(), samples=samples))
    assert (slots.rule, slots.requests) == ("/api/v1/slots", 100)
    assert slots.total == pytest.approx(0.24)
    assert bookings.requests == 50
    assert bookings.seconds["sql"] == pytest.approx(0.04)
    first = waterfall(spike())[0]
    assert first.requests == 100, "what came before the first request was nothing"


def test_the_fingerprint_is_told() -> None:
    said = text(spike())
    assert "Of its fingerprint 2 of 2 marks were seen, the first 1 s after it began." in said
    assert "Alerts" not in said, "nobody could be asked"
    unseen = [MARKS[0], replace(MARKS[1], seen=False)]
    assert "1 of 2 marks" in text(replace(spike(), marks=unseen))
    assert "fingerprint" not in text(replace(spike(), marks=[]))


def test_a_mark_is_a_line() -> None:
    assert mark_line(MARKS[0]) == (
        "seen: the pool is full (busy share in spike: at least 0.95; found at most 1, after 1.2 s)"
    )
    assert mark_line(replace(MARKS[1], seen=False)) == (
        "not seen: nobody waits (waiting in recovery: at most 0 at the end; found 0 at the end)"
    )


def test_alerts_that_fired_and_that_did_not_are_told() -> None:
    run = replace(spike(), expected_alerts=["PoolWaiters", "PoolTimeouts"])
    assert silent_alerts(run) == [], "nobody could be asked"
    fired = replace(run, alerts=[Alert("PoolWaiters", 12.4), Alert("AppDown", 20)])
    assert silent_alerts(fired) == ["PoolTimeouts"]
    assert "Alerts that fired: PoolWaiters after 12 s, AppDown after 20 s." in text(fired)
    assert "PoolTimeouts had to fire and did not." in text(fired)
    silent = replace(run, alerts=[])
    assert silent_alerts(silent) == ["PoolWaiters", "PoolTimeouts"]
    assert "Alerts that fired: none. PoolWaiters, PoolTimeouts had to fire" in text(silent)
    assert "had to fire" not in text(replace(silent, expected_alerts=[]))


def test_what_closed_users_hide_is_told() -> None:
    closed = [result("spike", 4, 100), result("all", 10, 900, p95=0.06)]
    assert (
        "would have told of a 95th percentile of 60 ms where it is 700 ms: they sent 900 requests "
        "instead of 1,040." in text(replace(spike(), closed=closed))
    )
    assert "Closed" not in text(spike())


def test_stage_numbers_come_from_that_stage_alone() -> None:
    base, peak, recovery = facts(spike()).stages
    assert (base.stage.name, base.result.requests) == ("base", 120)
    assert (base.most_waiting, base.most_in_use) == (0, 2)
    assert (peak.stage.rate, peak.most_waiting, peak.most_in_use) == (200, 20, 12)
    assert peak.result.failed_share == pytest.approx(0.01)
    assert peak.result.goodput == pytest.approx(791 / 4)
    assert peak.wait_p95 == pytest.approx(0.29)
    assert (recovery.stage.name, recovery.result.p95) == ("recovery", 0.09)


def test_a_stage_without_samples_is_told_by_its_requests() -> None:
    early = [sample for sample in spike().samples if sample.at < 6]
    _, peak, recovery = facts(replace(spike(), samples=early)).stages
    assert recovery.result.requests == 120
    assert (recovery.most_in_use, recovery.most_waiting, recovery.wait_p95) == (None, None, None)
    assert peak.most_waiting == 20


def test_a_stage_begins_where_the_traffic_did() -> None:
    later = [replace(sample, at=sample.at + 30) for sample in spike().samples]
    shifted = replace(spike(), began=30.0, samples=later)
    assert facts(shifted) == facts(spike())
    assert explanation(shifted) == explanation(spike())


def test_a_run_without_any_answer_has_no_facts() -> None:
    with pytest.raises(ValueError, match="never answered"):
        facts(replace(spike(), samples=[Sample(0.0, None, None)]))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "–"), (0.0012, "1.2 ms"), (0.05, "50 ms"), (0.4999, "500 ms"), (2.04, "2.0 s")],
)
def test_durations_are_for_people(seconds: float | None, said: str) -> None:
    assert milliseconds(seconds) == said


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
    assert 60 <= sum(stage.seconds for stage in SPIKE) <= 75
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
