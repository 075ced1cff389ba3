from __future__ import annotations

import pytest

from loadtest.lab import curves
from loadtest.lab.samples import PoolSample, Sample, Scrape, pool_sample
from loadtest.lab.svg import Chart, Series, draw, nice_step
from tests.loadtest.runs import INFINITE, load, pool, spike

TWO_WORKERS = """
# TYPE db_client_connection_count gauge
db_client_connection_count{db_client_connection_state="used",worker="0"} 5
db_client_connection_count{db_client_connection_state="used",worker="1"} 6
db_client_connection_count{db_client_connection_state="idle",worker="0"} 1
# TYPE db_client_connection_pending_requests gauge
db_client_connection_pending_requests{worker="0"} 3
db_client_connection_pending_requests{worker="1"} 4
# TYPE sqlalchemy_pool_oldest_wait_seconds gauge
sqlalchemy_pool_oldest_wait_seconds{worker="0"} 0.25
sqlalchemy_pool_oldest_wait_seconds{worker="1"} 0.75
# TYPE db_client_connection_timeouts counter
db_client_connection_timeouts_total{worker="0"} 2
db_client_connection_timeouts_total{worker="1"} 1
# TYPE db_client_connection_wait_time_seconds histogram
db_client_connection_wait_time_seconds_bucket{le="0.1",worker="0"} 1
db_client_connection_wait_time_seconds_bucket{le="+Inf",worker="0"} 2
db_client_connection_wait_time_seconds_bucket{le="0.1",worker="1"} 10
db_client_connection_wait_time_seconds_bucket{le="+Inf",worker="1"} 20
db_client_connection_wait_time_seconds_count{worker="1"} 20
"""


def test_a_scrape_is_summed_over_workers() -> None:
    sample = pool_sample(Scrape(TWO_WORKERS))
    assert (sample.in_use, sample.idle, sample.waiting, sample.timeouts) == (11, 1, 7, 3)
    assert sample.oldest_wait == 0.75
    assert sample.waits == {0.1: 11, INFINITE: 22}


def test_quantile_interpolates_like_prometheus() -> None:
    buckets = {0.1: 50.0, 0.2: 90.0, 0.4: 100.0, INFINITE: 100.0}
    assert curves.quantile(buckets, 0.5) == pytest.approx(0.1)
    assert curves.quantile(buckets, 0.7) == pytest.approx(0.15)
    assert curves.quantile(buckets, 0.95) == pytest.approx(0.3)


def test_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert curves.quantile({0.1: 1.0, INFINITE: 100.0}, 0.95) == 0.1


def test_quantile_of_nothing_is_unknown() -> None:
    assert curves.quantile({0.1: 0.0, INFINITE: 0.0}, 0.95) is None


def test_rate_is_per_second_and_has_gaps_where_data_is_missing() -> None:
    samples = [Sample(at, None, load(1, 0)) for at in (0.0, 1.0, 3.0, 4.0, 5.0)]
    assert curves.rate(samples, [0, 10, 50, None, 90]) == [None, 10, 20, None, None]


def test_percentile_sees_only_its_window() -> None:
    fast = {0.1: 100.0, 1.0: 100.0}
    slow = {0.1: 100.0, 1.0: 200.0}
    curve = curves.percentile(_every(1), [fast, slow, slow, slow, slow, slow], 0.95)
    assert curve[1] == pytest.approx(0.955)
    assert curve[-1] is None, "nothing was observed in the last seconds"


def test_percentile_looks_back_to_the_last_sample_however_old_that_is() -> None:
    first, then = {0.1: 100.0, 1.0: 100.0}, {0.1: 100.0, 1.0: 200.0}
    curve = curves.percentile(_every(5), [first, then, then, None, then, then], 0.95)
    assert curve[1] == pytest.approx(0.955)
    assert curve[2] is None, "nothing was observed since"
    assert curve[3] is None
    assert curve[4] is None, "it is not known what was observed since"


def _every(seconds: float) -> list[Sample]:
    return [Sample(at * seconds, None, None) for at in range(6)]


def test_a_gauge_is_unknown_while_nothing_answers() -> None:
    samples = [Sample(0.0, pool(waiting=3), None), Sample(1.0, None, None)]
    assert curves.of_pool(samples, _waiting) == [3, None]
    assert curves.of_load(samples, lambda one: one.users) == [None, None]


def _waiting(sample: PoolSample) -> float:
    return sample.waiting


@pytest.mark.parametrize(
    ("highest", "step"), [(0, 1), (12, 5), (200, 50), (1300, 500), (0.9, 0.5), (4, 1)]
)
def test_grid_lines_stand_at_round_values(highest: float, step: float) -> None:
    assert nice_step(highest) == pytest.approx(step)


def test_stacked_curves_stand_on_each_other_and_lines_do_not() -> None:
    chart = Chart(
        "", "", [Series("a", [4, 4], "stack"), Series("b", [6, 6], "stack"), Series("c", [5, 5])]
    )
    drawing = draw(chart, [0, 1], {}, [])
    height = {name: _last_row(data) for kind, name, data in drawing.paths if kind == "line"}
    assert height["b"] < height["c"] < height["a"], "rows count from the top"


def test_a_gap_in_the_data_is_a_gap_in_the_line() -> None:
    drawing = draw(Chart("", "", [Series("a", [1, None, 3, 4])]), [0, 1, 2, 3], {}, [])
    (data,) = (data for _, _, data in drawing.paths)
    assert (data.count("M"), data.count("L")) == (2, 1)


def test_bands_and_marks_end_with_the_chart() -> None:
    bands = {"waiting": [(1.0, 2.0), (3.0, 9.0), (8.0, 9.0)], "fault": [(0.0, 4.0)]}
    drawing = draw(Chart("", "", []), [0, 2, 4], bands, [(0, "base"), (3, "spike"), (5, "over")])
    second = (drawing.columns[1][0] - drawing.columns[0][0]) / 1
    assert [name for name, _, _ in drawing.bands] == ["waiting", "waiting", "fault"]
    assert [width for _, _, width in drawing.bands] == pytest.approx([second, second, second * 4])
    assert [label for _, label in drawing.marks] == ["base", "spike"]


def _last_row(data: str) -> float:
    return float(data.split()[-1])


def test_saved_samples_are_read_back_unchanged() -> None:
    import json
    from dataclasses import asdict

    for sample in spike().samples:
        assert Sample.from_json(json.loads(json.dumps(asdict(sample)))) == sample
