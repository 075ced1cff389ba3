from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from loadtest.lab import predictors
from loadtest.lab.predictors import PREDICTORS, Prediction, Workload, predictions
from loadtest.lab.queueing import erlang_c_quantile
from loadtest.lab.scalability import Scalability, fit

LAW = Scalability(50, 0.02, 0.0004, 0, 0)
FULL = Workload(
    rate=150,
    hold=0.02,
    wait=0.05,
    holds=list(-0.02 * np.log1p(-(np.arange(2000) + 0.5) / 2000)),
    cores=4,
    points=[(n, LAW.throughput(n)) for n in (1, 2, 4, 8, 16, 32, 64, 96)],
)


def by_name(work: Workload) -> dict[str, Prediction]:
    return {one.name: one for one in predictions(work)}


def test_everybody_predicts_from_full_data() -> None:
    found = {name: one.connections for name, one in by_name(FULL).items()}
    assert found == {
        "Little": 3,
        "Erlang-C": 4,  # C(4, 3) = 0.509, and 20 ms × ln(0.509 / 0.05) = 46 ms
        "Erlang-C with USL": 5,
        "simulation": 4,
        "USL": round(LAW.best),
        "2 × cores + 1": 9,
    }


def test_everybody_says_where_it_holds() -> None:
    assert all(one.domain for one in predictions(FULL))
    assert [one.name for one in predictions(FULL)] == list(PREDICTORS)


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("Erlang-C with USL", replace(FULL, points=FULL.points[:3])),
        ("USL", replace(FULL, points=[])),
        ("USL", replace(FULL, points=[(n, 100.0 * n) for n in (1, 2, 4, 8, 16)])),
        ("2 × cores + 1", replace(FULL, cores=None)),
        ("simulation", replace(FULL, holds=())),
    ],
)
def test_who_lacks_data_says_so_and_others_still_predict(name: str, lacking: Workload) -> None:
    found = by_name(lacking)
    assert found[name].connections is None
    assert found[name].problem.startswith("not enough data: ")
    assert found["Erlang-C"].connections is not None


def test_holds_that_grow_with_concurrency_need_more_connections() -> None:
    work = replace(FULL, rate=500)
    fixed, growing = predictors.erlang(work), predictors.erlang_with_usl(work)
    assert growing > fixed
    law = fit(work.points)
    waits = [
        erlang_c_quantile(work.rate, law.service(c), c, predictors.SHARE)
        for c in (growing - 1, growing)
    ]
    assert waits[0] > work.wait >= waits[1]


def test_a_rate_beyond_any_pool_has_no_size() -> None:
    found = by_name(replace(FULL, rate=LAW.throughput(LAW.best) * 1.1))
    assert found["Erlang-C with USL"].problem.startswith("no pool of up to 500 connections")


@pytest.mark.parametrize("seconds", [0.0, 10.0])
def test_a_simulation_never_predicts_an_overloaded_pool(seconds: float) -> None:
    work = replace(FULL, rate=151, holds=[0.02], wait=seconds)
    assert predictors.simulation(work) > work.rate * 0.02


def test_what_makes_no_sense_is_a_problem_and_no_crash() -> None:
    for work in (replace(FULL, wait=-1), replace(FULL, rate=math.nan)):
        found = by_name(work)
        assert found["Erlang-C"].problem
        assert found["simulation"].problem


def test_times_from_a_histogram_spread_within_its_buckets() -> None:
    found = predictors.sample_of([(0.1, 50.0), (0.2, 100.0), (math.inf, 100.0)])
    assert np.mean(found) == pytest.approx(0.1, rel=0.01)
    assert max(found) <= 0.2
    assert predictors.sample_of([]) == predictors.sample_of([(0.1, 0.0)]) == []
