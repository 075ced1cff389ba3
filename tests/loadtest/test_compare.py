from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.lab.compare import Difference, compare, sentence
from loadtest.lab.errors import LabError
from loadtest.lab.targets import REQUESTS
from loadtest.records import Request, RequestLog
from tests.loadtest.runs import spike

BEGAN = 1_000_000.0


def recorded(directory: Path, seed: int, slower: float = 1.0, **changes: object) -> Path:
    """A run whose requests took about 10 ms, times ``slower``."""
    directory.mkdir()
    run = replace(spike(), traffic_began=BEGAN, **changes)  # type: ignore[arg-type]
    run.save(directory)
    log, chance = RequestLog(directory / REQUESTS), random.Random(seed)
    for number in range(int(sum(stage.seconds for stage in run.stages)) * 100):
        seconds = chance.expovariate(100) * slower
        log.record(Request(BEGAN + number / 100, seconds, 200, True, "/api/v1/slots"))
    log.close()
    return directory


def of(found: list[Difference], figure: str) -> list[Difference]:
    return [one for one in found if one.figure == figure]


def test_two_runs_of_the_same_differ_by_noise(tmp_path: Path) -> None:
    found = compare(recorded(tmp_path / "a", 1), recorded(tmp_path / "b", 2))
    assert found.settings == []
    medians = of(found.differences, "p50")
    assert len(medians) == 3, "one a stage"
    assert sum(one.is_noise for one in medians) >= 2
    assert all(one.is_noise for one in of(found.differences, "failed"))


def test_a_slower_one_is_told_with_what_was_changed(tmp_path: Path) -> None:
    slow = recorded(tmp_path / "b", 2, slower=3, settings={"CLINIC_POOL_SIZE": "2"})
    found = compare(recorded(tmp_path / "a", 1), slow)
    assert ("CLINIC_POOL_SIZE", "", "2") in found.settings
    for one in of(found.differences, "p50"):
        assert not one.is_noise
        assert one.low > 0
        assert "differs" in sentence(one)


def test_the_same_comparison_says_the_same(tmp_path: Path) -> None:
    first, second = recorded(tmp_path / "a", 1), recorded(tmp_path / "b", 2)
    assert compare(first, second) == compare(first, second)


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    first = recorded(tmp_path / "a", 1)
    with pytest.raises(LabError, match="only runs of one scenario"):
        compare(first, recorded(tmp_path / "b", 1, scenario="leak"))
    with pytest.raises(LabError, match="holds no recorded run"):
        compare(first, tmp_path)
    (first / REQUESTS).unlink()
    with pytest.raises(LabError, match="has no requests"):
        compare(first, first)
