from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.lab.results import bottleneck, by_stage, gap, percentile
from loadtest.lab.samples import LoadSample, Sample
from loadtest.records import BookingLog, Request, RequestLog, requests
from loadtest.scenario import Stage
from tests.loadtest.runs import BEGAN, INFINITE, load, pool, spike

STAGES = [Stage("a", 10, 10), Stage("b", 5, 10)]


def request(at: float, seconds: float = 0.1, *, good: bool = True) -> Request:
    return Request(BEGAN + at, seconds, 200 if good else 503, good, "/x")


def test_requests_belong_to_the_stage_in_which_they_were_due() -> None:
    found = by_stage([request(at) for at in (0, 9.999, 10, 14.9)], STAGES, BEGAN, 1)
    assert [(one.name, one.seconds, one.requests) for one in found] == [
        ("a", 10, 2),
        ("b", 5, 2),
        ("all", 15, 4),
    ]


def test_an_answer_is_good_late_or_failed() -> None:
    answers = [
        request(1, 1.0),
        request(2, 1.001),
        request(3, 30),
        request(4, 0.1, good=False),
        request(5, 9, good=False),
    ]
    one, *_ = by_stage(answers, STAGES, BEGAN, deadline=1.0)
    assert (one.requests, one.good, one.late, one.failed) == (5, 1, 2, 2)
    assert (one.goodput, one.failed_share) == (0.1, 0.4)
    assert one.longest == 30, "whoever failed has waited too"


def test_a_stage_without_requests_has_no_times() -> None:
    _, one, whole = by_stage([request(1)], STAGES, BEGAN, 1)
    assert (one.requests, one.p50, one.p95, one.p99, one.longest) == (0, None, None, None, None)
    assert (one.failed_share, one.goodput) == (0, 0)
    assert whole.requests == 1


def test_percentiles_are_by_nearest_rank() -> None:
    values = [request(1, seconds / 100) for seconds in range(100, 0, -1)]
    one, *_ = by_stage(values, STAGES, BEGAN, 1)
    assert (one.p50, one.p95, one.p99, one.longest) == (0.5, 0.95, 0.99, 1.0)
    assert percentile([3.0], 0.99) == 3
    assert percentile([1.0, 2.0], 0.5) == 1
    assert percentile([1.0, 2.0], 0.51) == 2
    assert percentile([], 0.5) is None


@settings(deadline=None)
@given(st.lists(st.floats(0, 60), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_that_so_many_do_not_exceed(
    values: list[float], hundredths: int
) -> None:
    found = percentile(sorted(values), hundredths / 100)
    assert found in values
    enough = math.ceil(Fraction(hundredths, 100) * len(values))
    assert sum(value <= found for value in values) >= enough
    assert sum(value < found for value in values) <= enough


def late(at: float, lags: Mapping[float, float]) -> Sample:
    return Sample(at, pool(), LoadSample(1, 0, 0, lags=dict(lags)))


def test_a_generator_that_keeps_up_is_no_bottleneck() -> None:
    assert bottleneck(spike().samples) == ""
    assert bottleneck([]) == ""
    assert bottleneck([Sample(0.0, pool(), None), late(1, {0.1: 0, 1.0: 9, INFINITE: 9})]) == ""


def test_a_generator_that_is_late_is_the_bottleneck() -> None:
    first, last = {0.1: 50, 1.0: 50, INFINITE: 50}, {0.1: 148, 1.0: 150, INFINITE: 150}
    assert "99" not in bottleneck([late(0, first), late(10, {**last, 0.1: 150})])
    said = bottleneck([late(0, first), late(10, last)])
    assert "sent 550 ms or more after it was due" in said
    assert "at most 100 ms is accepted" in said


def test_lateness_before_the_run_does_not_count() -> None:
    lags = {0.1: 0.0, 1.0: 100.0, INFINITE: 100.0}
    assert bottleneck([late(0, lags), late(10, lags)]) == ""


def test_a_generator_without_any_processor_left_is_the_bottleneck() -> None:
    calm = [Sample(at * 1.0, None, load(1, 0, cpu=at * 0.5)) for at in range(10)]
    assert bottleneck(calm) == ""
    busy = [Sample(at, None, load(1, 0, cpu=5 + (at - 10) * 0.95)) for at in range(10, 17)]
    idle = [Sample(at, None, load(1, 0, cpu=10.7)) for at in range(17, 60)]
    said = bottleneck([*calm, *busy, *idle])
    assert "used 95% of the one processor" in said
    assert "--processes 2" in said


def test_a_short_burst_is_no_bottleneck() -> None:
    samples = [Sample(float(at), None, load(1, 0, cpu=min(at, 2))) for at in range(10)]
    assert bottleneck(samples) == ""


def test_a_log_that_lacks_requests_is_told() -> None:
    *_, whole = by_stage([request(at / 100) for at in range(991)], STAGES, BEGAN, 1)
    assert gap(whole, spike().samples) == "", "the last ones may be under way"
    *_, whole = by_stage([request(at / 100) for at in range(900)], STAGES, BEGAN, 1)
    assert gap(whole, spike().samples).startswith("1000 requests were sent, and only 900 are")
    assert gap(whole, []) == ""


def test_a_request_log_is_read_back_and_its_cut_off_line_left_out(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    wanted = [
        Request(BEGAN + 0.25, 0.123456, 200, True, "/api/v1/slots"),
        Request(BEGAN + 1, 15.5, 0, False, '/a,b"c'),
    ]
    log = RequestLog(path)
    for one in wanted:
        log.record(one)
    log.close()
    with path.open("a") as lines:
        lines.write("1800000002.5,0.00")
    assert list(requests(path)) == wanted


def test_a_log_goes_on_where_it_was_and_may_be_none(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    for at in (1, 2):
        log = RequestLog(path)
        log.record(request(at))
        log.close()
    assert [one.due for one in requests(path)] == [BEGAN + 1, BEGAN + 2]
    RequestLog(None).record(request(1))
    BookingLog(None).record({"id": 1, "slot_id": 2, "patient_id": 3})
    assert list(requests(tmp_path / "none.csv")) == []
