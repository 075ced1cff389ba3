"""Every alert is tested both ways, and the runbook says what to do when it fires."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import pytest
import yaml

from monitoring.alerts import ALERTS, Alert
from tests.conftest import ROOT

MONITORING = ROOT / "monitoring"
RUNBOOK = (MONITORING / "runbook.md").read_text()
PARTS = ["Meaning", "Impact", "Diagnose", "Fix"]
SECTIONS = {
    title: text
    for title, _, text in (section.partition("\n") for section in RUNBOOK.split("\n## ")[1:])
}
PANELS = {
    panel["title"]
    for path in (MONITORING / "grafana/dashboards").glob("*.json")
    for panel in json.loads(path.read_text())["panels"]
}

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


@each_alert
def test_runbook_says_what_to_do(alert: Alert) -> None:
    assert re.findall(r"^\*\*(\w+)\.\*\*", SECTIONS[alert.name], re.MULTILINE) == PARTS


def test_runbook_has_a_heading_for_each_alert_and_nothing_else() -> None:
    assert list(SECTIONS) == [alert.name for alert in ALERTS]


def test_runbook_names_panels_that_exist() -> None:
    named = re.findall(r"[Pp]anels? \*([^*]+)\*", RUNBOOK)
    assert named
    assert set(named) <= PANELS


def test_links_within_the_runbook_lead_somewhere() -> None:
    anchors = {title.lower() for title in SECTIONS}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors


@each_alert
def test_alert_is_tested_silent_and_firing(alert: Alert) -> None:
    outcomes = defaultdict(set)
    cases = yaml.safe_load((MONITORING / "prometheus/tests/alerts_test.yml").read_text())["tests"]
    for case in cases:
        for test in case["alert_rule_test"]:
            outcomes[test["alertname"]].add(bool(test.get("exp_alerts")))
    assert outcomes[alert.name] == {True, False}
