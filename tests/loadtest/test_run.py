from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtest.lab import junit
from loadtest.lab.errors import LabError
from loadtest.lab.run import Run, new_directory
from loadtest.lab.sources import Alert
from loadtest.scenario import Stage
from tests.loadtest.runs import MARKS, result, spike

FIRED = Alert("PoolWaiters", 12.5)


@pytest.mark.parametrize("alerts", [None, [], [FIRED]])
def test_a_saved_run_is_read_back_unchanged(tmp_path: Path, alerts: list[Alert] | None) -> None:
    run = replace(
        spike(),
        alerts=alerts,
        expected_alerts=["PoolWaiters"],
        stages=[Stage("base", 3, 40, 80, {"search": 3.0, "GET /lab/hold?seconds=0.1": 1.0})],
        closed=[result("all", 10, 900)],
        fault="freeze",
        fault_bounds=[3.0, 7.0],
        invalid="too slow",
        missed=True,
        broken=[],
    )
    run.save(tmp_path)
    assert Run.load(tmp_path) == run
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_run_is_plain_json(tmp_path: Path) -> None:
    spike().save(tmp_path)
    data = json.loads((tmp_path / "run.json").read_text())
    assert data["scenario"] == "spike"
    assert data["results"][1]["p95"] == 0.9
    assert data["marks"][0]["seen"] is True


def test_an_older_run_is_replaced(tmp_path: Path) -> None:
    spike().save(tmp_path)
    newer = replace(spike(), bookings=5)
    newer.save(tmp_path)
    assert Run.load(tmp_path) == newer


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"stages": 3}'])
def test_what_is_no_run_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises((OSError, ValueError, KeyError, TypeError)):
        Run.load(tmp_path)


def test_every_run_has_a_directory_of_its_own(tmp_path: Path) -> None:
    runs = tmp_path / "some" / "runs"
    directories = {new_directory(runs, "spike") for _ in range(5)}
    assert len(directories) == 5
    assert all(one.is_dir() and "-spike" in one.name for one in directories)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((OSError, LabError)):
        new_directory(tmp_path / "file", "spike")


def suite(run: Run) -> tuple[dict[str, str], dict[str, str | None]]:
    """The attributes of a run's test suite, and by test case why it failed."""
    root = ElementTree.fromstring(junit.document(run))
    assert root.tag == "testsuite"
    cases = {
        case.attrib["name"]: None if (failure := case.find("failure")) is None
        else failure.attrib["message"]
        for case in root
    }  # fmt: skip
    assert {case.attrib["classname"] for case in root} == {"loadtest.spike"}
    assert int(root.attrib["tests"]) == len(cases) == len(root)
    assert int(root.attrib["failures"]) == sum(one is not None for one in cases.values())
    return dict(root.attrib), cases


def test_a_good_run_is_a_suite_without_failures() -> None:
    attributes, cases = suite(spike())
    assert attributes["name"] == "loadtest.spike"
    assert attributes["failures"] == "0"
    assert list(cases) == [
        "the run reached its end",
        "the generator was not the bottleneck",
        "service level",
        "fingerprint: the pool is full",
        "fingerprint: nobody waits",
    ]


def test_every_broken_promise_is_a_failure() -> None:
    run = replace(
        spike(),
        marks=[replace(MARKS[0], seen=False, after=None, found="at most <0.5>"), MARKS[1]],
        alerts=[FIRED],
        expected_alerts=["PoolWaiters", "PoolTimeouts"],
        slo='SLO missed: expected "this" & found <that>.',
        missed=True,
        broken=["2 slots are booked twice", "1 booking is lost"],
        invalid="one of 100 requests was late",
        ended_early="the load failed.\n\x1b[31m    in colour\x00",
    )
    attributes, cases = suite(run)
    assert attributes["failures"] == "6"
    assert cases["service level"] == run.slo
    bookings = cases["every acknowledged booking is there, and once"]
    assert bookings == "2 slots are booked twice; 1 booking is lost"
    assert cases["the generator was not the bottleneck"] == run.invalid
    assert "in colour" in (cases["the run reached its end"] or "")
    assert "found at most <0.5>" in (cases["fingerprint: the pool is full"] or "")
    assert cases["fingerprint: nobody waits"] is None
    assert (cases["alert: PoolWaiters"], cases["alert: PoolTimeouts"]) == (None, "it did not fire")


def test_what_nobody_could_be_asked_is_no_promise() -> None:
    _, cases = suite(replace(spike(), alerts=None, expected_alerts=["PoolWaiters"]))
    assert not any("alert" in name or "booking" in name for name in cases)
