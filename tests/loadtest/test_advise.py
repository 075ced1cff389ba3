from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.lab import advise, sweep
from loadtest.lab.advice_text import lines
from loadtest.lab.sweep import Measurement, Setting, Sweep, Tried
from loadtest.scenario import load

RATE = 100.0


def setting(size: int) -> Setting:
    return Setting(size, 0, 1.0, 32, 2)


def tried(size: int, good: list[float], waits: list[float | None], invalid: str = "") -> Tried:
    """A pool of ``size`` that carried so much; holds of 40 ms."""
    holds = [(0.025, 0.0), (0.05, 500.0), (float("inf"), 500.0)]
    measured = [
        Measurement(share, 0.0, 0.1, wait, 0.0, 0.04, holds, share * RATE, invalid)
        for share, wait in zip(good, waits, strict=True)
    ]
    return Tried(setting(size), measured)


def swept(*found: Tried) -> Sweep:
    return Sweep("spike", RATE, {"search": 1.0}, 1.0, 10.0, "today", {}, list(found))


FOUR = tried(4, [1.0, 1.0, 0.999], [0.01, 0.012, 0.011])
EIGHT = tried(8, [1.0, 1.0, 1.0], [0.001, 0.001, 0.001])
TWO = tried(2, [0.9, 0.92, 0.88], [0.4, 0.5, 0.6])
UNSURE = tried(3, [1.0, 1.0, 1.0], [0.03, 0.04, 0.07])


def test_the_smallest_pool_near_the_peak_that_keeps_the_wait_is_recommended() -> None:
    found = advise.from_sweep(swept(EIGHT, TWO, FOUR, UNSURE), 0.05, cores=2)
    assert found.setting == setting(4)
    assert found.measured == 8, "of two workers"
    assert not found.problem
    assert [row.setting.pool_size for row in found.rows] == [2, 3, 4, 8]


def test_a_pool_that_keeps_the_wait_only_by_luck_is_not() -> None:
    found = advise.from_sweep(swept(UNSURE, EIGHT), 0.05, cores=2)
    assert found.setting == setting(8)


def test_how_much_all_tries_differ_warns_of_a_few_that_agree() -> None:
    agreeing = tried(3, [1.0, 1.0, 1.0], [0.03, 0.031, 0.032])
    assert advise.from_sweep(swept(agreeing, EIGHT), 0.05, cores=2).setting == setting(3)
    restless = tried(5, [1.0, 1.0, 1.0], [0.001, 0.005, 0.02])
    found = advise.from_sweep(swept(agreeing, restless, EIGHT), 0.05, cores=2)
    assert found.setting != setting(3)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (swept(tried(4, [1.0], [0.01])), "at least three valid tries"),
        (swept(tried(4, [1.0] * 3, [0.01] * 3, invalid="too slow")), "no try was valid"),
        (swept(TWO), "no setting that was tried meets the wait objective"),
        (swept(tried(4, [0.5] * 3, [0.01] * 3)), "something else than the pool is too small"),
    ],
)
def test_without_enough_data_it_says_so(found: Sweep, problem: str) -> None:
    advice = advise.from_sweep(found, 0.05, cores=2)
    assert advice.setting is None
    assert problem in advice.problem
    assert any(problem in line for line in lines(advice, 1.0))


def test_every_predictor_stands_beside_what_was_measured() -> None:
    found = advise.from_sweep(swept(TWO, FOUR, EIGHT), 0.05, cores=2)
    text = "\n".join(lines(found, 1.0))
    for name in ("Little", "Erlang-C", "simulation", "2 × cores + 1"):
        assert name in text
    assert "not enough data: the law needs 4 different pool sizes" in text
    assert "beside what was measured" in text
    assert "CLINIC_POOL_SIZE=4" in text
    assert "CLINIC_POOL_TIMEOUT: 0.92 s" in text


def test_the_applications_rules_are_asked() -> None:
    few_threads = replace(setting(4), threads=4)
    assert any("threads" in finding.lower() for finding in advise.lint(few_threads))
    assert advise.lint(replace(setting(4), threads=16)) == []


def test_a_setting_is_tried_again_until_its_wait_is_on_one_side() -> None:
    assert not advise.is_settled(tried(4, [1.0, 1.0], [0.01, 0.01]), 0.05)
    assert not advise.is_settled(UNSURE, 0.05)
    assert advise.is_settled(FOUR, 0.05)


@pytest.mark.parametrize("text", ["", "0", "2,x", "9-", "5-2", "2,5000"])
def test_a_bad_range_is_told_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected numbers"):
        sweep.numbers(text, 1)


def test_ranges_make_a_grid_of_all_combinations() -> None:
    assert sweep.numbers("2,4-6,4", 1) == [2, 4, 5, 6]
    found = sweep.grid([2, 4], [0, 1], [0.5, 1.0], [16], [1, 2])
    assert len(found) == len(set(found)) == 16
    assert found[0].environment["CLINIC_POOL_TIMEOUT"] == "0.5"
    assert Setting(4, 2, 1.0, 16, 2).limit == 12


def test_the_traffic_is_the_scenarios_main_stage_and_can_be_read_back(tmp_path: Path) -> None:
    traffic = sweep.traffic(load("spike"), 150, 8)
    path = tmp_path / "traffic.toml"
    path.write_text(sweep.as_toml(traffic))
    found = load(str(path))
    assert [(stage.name, stage.rate, stage.seconds) for stage in found.stages] == [
        ("warm-up", 150, sweep.WARM_UP),
        ("measured", 150, 8),
    ]
    assert found.stages[1].mix == dict(load("spike").stages[1].mix)
    assert not found.marks


def test_a_sweep_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    found = swept(TWO, FOUR)
    found.save(tmp_path)
    read = Sweep.load(tmp_path)
    assert json.dumps(read.tried[0].measurements[0].holds) == json.dumps(
        [list(pair) for pair in TWO.measurements[0].holds]
    )
    assert advise.from_sweep(read, 0.05, 2) == advise.from_sweep(found, 0.05, 2)
