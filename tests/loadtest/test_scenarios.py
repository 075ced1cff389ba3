from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from loadtest import scenario
from loadtest.lab import faults
from loadtest.lab.application import ROOT
from loadtest.lab.errors import LabError
from loadtest.lab.series import SERIES
from loadtest.scenario import PATIENTS, Fault, Scenario, ScenarioError, Stage
from loadtest.slo import Slo
from tests.loadtest.conftest import Written

SCENARIOS = {name: scenario.load(name) for name in scenario.names()}
ALERTS = yaml.safe_load((ROOT / "monitoring/prometheus/rules/alerts.yml").read_text())

each_scenario = pytest.mark.parametrize("one", SCENARIOS.values(), ids=SCENARIOS.keys())


def test_there_are_scenarios_enough() -> None:
    assert len(SCENARIOS) >= 16
    assert {"steady", "spike", "ramp", "stall"} <= SCENARIOS.keys()


@each_scenario
def test_a_scenario_names_only_what_there_is(one: Scenario) -> None:
    alerts = {
        rule["alert"] for group in ALERTS["groups"] for rule in group["rules"] if "alert" in rule
    }
    assert one.title
    assert len(one.title) < 90
    assert one.marks
    assert {mark.series for mark in one.marks} <= SERIES.keys()
    assert set(one.alerts) <= alerts
    assert set(one.needs) <= {"embedded", "compose"}
    if one.fault.kind:
        faults.check(one.fault)
    if any("/lab/" in path for path in one.paths):
        assert one.settings["CLINIC_LAB_ENABLED"] == "true"


@each_scenario
def test_something_goes_wrong_or_more_arrives_and_it_can_be_left_out(one: Scenario) -> None:
    calm = one.calm()
    assert calm.fault == Fault()
    assert calm.fault_bounds is None
    assert len({(stage.rate, stage.last_rate) for stage in calm.stages}) == 1
    assert all(stage.mix == one.stages[0].mix for stage in calm.stages)
    assert calm.seconds == one.seconds
    assert calm.marks == one.marks
    wrong = (one.stages, one.fault) != (calm.stages, calm.fault)
    assert wrong, "the calm run must be another one"


def test_a_scenario_is_loaded_from_its_file() -> None:
    leak = SCENARIOS["leak"]
    assert leak.settings["CLINIC_POOL_LEAK_THRESHOLD"] == "5"
    assert (leak.fault.kind, leak.fault.arguments) == ("leak", {"connections": 4})
    assert leak.fault_bounds == leak.bounds("leak") == (10, 35)
    assert leak.focus == "leak"
    assert [mark.during for mark in leak.marks] == ["leak", "leak", "leak", "recovery"]
    assert SCENARIOS["idle-timeout"].fault_bounds == (10, 26), "until the end of another stage"
    assert SCENARIOS["hidden-queue"].fault.settings == {"CLINIC_THREADS": "4"}


def test_what_is_not_said_is_the_booking_page() -> None:
    quiet = scenario.parse("x", {"title": "X", "stage": [{"name": "a", "seconds": 1, "rate": 5}]})
    assert quiet.stages[0].mix == PATIENTS
    assert quiet.slo == Slo(0.01, 1000)
    assert (quiet.focus, quiet.arrivals, quiet.retries) == ("a", "poisson", 0)


def test_any_file_can_be_a_scenario(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(written())
    monkeypatch.chdir(path.parent)
    mine = scenario.load("mine.toml")
    assert (mine.name, mine.title) == ("mine", "A test")
    assert mine.source == str(path), "another process may be elsewhere"
    assert scenario.load("spike").source == "spike"


def test_stages_follow_each_other() -> None:
    ramp = Stage("b", 10, 0, 100)
    one = Scenario("x", "X", [Stage("a", 5, 20), ramp], Slo(0.01, 1000))
    assert (one.seconds, one.bounds("b")) == (15, (5, 15))
    assert one.stage_at(4.9) == one.stages[0]
    assert one.stage_at(5) == ramp
    assert one.stage_at(15) is None
    assert (ramp.arrivals, ramp.last_rate) == (500, 100)
    assert [one.rate_at(at) for at in (-1, 3, 5, 10, 15)] == [20, 20, 0, 50, 0]
    with pytest.raises(KeyError):
        one.bounds("c")


STAGE = '[[stage]]\nname = "a"\nseconds = 5\nrate = 10\n'
OTHER = STAGE.replace('"a"', '"b"')
MARK = '[[fingerprint]]\nsays = "full"\nseries = "in use"\n'

WRONG = {
    "broken TOML": ("title =", "Invalid value"),
    "not text": ('title = "\udcff"', "utf-8"),
    "no stages": ('title = "X"', "'stage' is missing"),
    "an empty list of stages": ("stage = []", "'stage' is missing"),
    "one stage that is no list": ('[stage]\nname = "a"', "expected [[stage]]"),
    "no title": (STAGE, "'title'"),
    "an unknown key": (f'title = "X"\ncolour = "red"\n{STAGE}', "'colour'"),
    "an unknown key of a stage": (f'title = "X"\n{STAGE}users = 8', "'users'"),
    "an unknown key of the SLO": (f'title = "X"\n{STAGE}[slo]\np50_ms = 8', "'p50_ms'"),
    "a stage without its length": ('title = "X"\n[[stage]]\nname = "a"\nrate = 1', "'seconds'"),
    "stages of one name": (f'title = "X"\n{STAGE}{STAGE}', "same name"),
    "a negative rate": (f'title = "X"\n{STAGE}'.replace("10", "-10"), "rates >= 0"),
    "a ramp below zero": (f'title = "X"\n{STAGE}to = -1', "rates >= 0"),
    "no seconds": (f'title = "X"\n{STAGE}'.replace("5", "0"), "seconds > 0"),
    "a rate in words": (f'title = "X"\n{STAGE}'.replace("10", '"many"'), "expected numbers"),
    "an empty mix": (f'title = "X"\n{STAGE}mix = {{}}', "positive weights"),
    "a mix that is none": (f'title = "X"\n{STAGE}mix = 3', "expected a mix"),
    "an unknown action": (f'title = "X"\n{STAGE}mix = {{dance = 1}}', "expected search"),
    "half a request": (f'title = "X"\n{STAGE}mix = {{"GET slots" = 1}}', "GET /path"),
    "unknown arrivals": (f'title = "X"\narrivals = "late"\n{STAGE}', "poisson or constant"),
    "unknown holds": (f'title = "X"\nholds = "long"\n{STAGE}', "exponential or fixed"),
    "an unknown focus": (f'title = "X"\nfocus = "b"\n{STAGE}', "no stage 'b'; there are a"),
    "a fault at no time": (f'title = "X"\n{STAGE}[fault]\nkind = "leak"', "`during`"),
    "a fault that is no table": (f'title = "X"\nfault = "leak"\n{STAGE}', "expected [fault]"),
    "a fault in an unknown stage": (
        f'title = "X"\n{STAGE}[fault]\nkind = "leak"\nduring = "b"\nuntil = "a"',
        "no stage 'b'",
    ),
    "a fault until an unknown stage": (
        f'title = "X"\n{STAGE}[fault]\nkind = "leak"\nduring = "a"\nuntil = "b"',
        "no stage 'b'",
    ),
    "a fault that ends before it begins": (
        f'title = "X"\n{STAGE}{OTHER}[fault]\nkind = "leak"\nduring = "b"\nuntil = "a"',
        "before b begins",
    ),
    "a mark without a limit": (f'title = "X"\n{STAGE}{MARK}', "expected a number for one of"),
    "a mark with two limits": (
        f'title = "X"\n{STAGE}{MARK}at_least = 1\nat_most = 2',
        "expected a number for one of",
    ),
    "a mark with a limit in words": (
        f'title = "X"\n{STAGE}{MARK}at_least = "some"',
        "expected a number for one of",
    ),
    "a mark in an unknown stage": (
        f'title = "X"\n{STAGE}{MARK}during = "b"\nat_least = 1',
        "no stage 'b'",
    ),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_in_a_file_is_told(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(ScenarioError, match=re.escape(said)) as caught:
        scenario.load(str(path))
    assert str(caught.value).startswith("mine.toml: ")


@pytest.mark.parametrize("name", ["tsunami", "", "/no/such/file.toml"])
def test_an_unknown_scenario_is_told_with_those_that_there_are(name: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario.load(name)
    assert f"no scenario {name!r}" in str(caught.value)
    assert ", ".join(scenario.names()) in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("earthquake"), "There are: kill database"),
        (Fault("freeze"), "'who'"),
        (Fault("leak", arguments={"connections": 6, "colour": "red"}), "'colour'"),
    ],
)
def test_a_fault_that_there_is_not_is_told_before_anything_runs(fault: Fault, said: str) -> None:
    with pytest.raises(LabError, match=said):
        faults.check(fault)
