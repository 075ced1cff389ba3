"""Every dashboard can be read, and its numbers be trusted: rules of dashboard-linter, and more.

``python -m tests.monitoring.test_dashboards`` prints the table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain, combinations
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from app.pool.catalogue import BUDGET_LIMIT, BUDGET_NEEDED, METRICS
from monitoring.alerts import ALERTS
from tests.conftest import ROOT

PATHS = sorted((ROOT / "monitoring/grafana/dashboards").glob("*.json"))
DASHBOARDS: dict[str, dict[str, Any]] = {p.stem: json.loads(p.read_text()) for p in PATHS}
KINDS = {"stat", "timeseries", "heatmap", "state-timeline"}
LEGACY = {"graph", "singlestat", "table-old", "grafana-worldmap-panel"}
# Characters above a number a sixth of 1440 pixels wide, as Grafana 12.4 writes them; and what its
# sign takes that a metric might not be a counter, where its name does not end as a counter's.
WIDEST_TITLE, NOTICE = 18, 6
COUNTERS = ("_total", "_bucket", "_sum", "_count")
QUERIES_AT_MOST = 40
WIDTH = 24

each_dashboard = pytest.mark.parametrize("name", DASHBOARDS)


def panels(name: str) -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARDS[name]["panels"] if panel["type"] != "row"]


def queries(name: str) -> list[str]:
    return [target["expr"] for panel in panels(name) for target in panel["targets"]]


def test_all_six_are_there() -> None:
    assert {*DASHBOARDS} == {"overview", "pool", "mysql", "load", "stack", "fleet"}


@each_dashboard
def test_it_is_read_only_with_a_name_and_a_shared_crosshair(name: str) -> None:
    board = DASHBOARDS[name]
    assert board["uid"] == name
    assert board["title"]
    assert board["description"]
    assert board["editable"] is False
    assert board["graphTooltip"] == 1
    assert board["schemaVersion"] >= 41


@each_dashboard
def test_ids_are_unique_and_not_zero(name: str) -> None:
    ids = [panel["id"] for panel in DASHBOARDS[name]["panels"]]
    assert len({*ids}) == len(ids)
    assert all(ids)


@each_dashboard
def test_panels_do_not_overlap_and_stay_in_the_grid(name: str) -> None:
    places = [panel["gridPos"] for panel in DASHBOARDS[name]["panels"]]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


@each_dashboard
def test_the_verdict_is_seen_without_scrolling(name: str) -> None:
    verdict = panels(name)[:6]
    assert [panel["type"] for panel in verdict] == ["stat"] * 6
    assert {panel["gridPos"]["y"] for panel in verdict} == {1}


@each_dashboard
def test_every_panel_asks_explains_and_has_a_unit(name: str) -> None:
    for panel in panels(name):
        assert panel["type"] in KINDS
        assert panel["title"].endswith("?"), panel["title"]
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]


@each_dashboard
def test_titles_of_numbers_are_not_cut_on_a_laptop(name: str) -> None:
    for panel in panels(name):
        if panel["type"] == "stat":
            asked = panel["targets"][0]["expr"]
            counted = re.findall(r"(?:rate|increase)\((\w+)", asked)
            noticed = any(not metric.endswith(COUNTERS) for metric in counted)
            room = WIDEST_TITLE - (NOTICE if noticed else 0)
            assert len(panel["title"]) <= room, panel["title"]


@each_dashboard
def test_titles_are_unique(name: str) -> None:
    titles = [panel["title"] for panel in panels(name)]
    assert len({*titles}) == len(titles)


@each_dashboard
def test_no_data_source_is_written_down(name: str) -> None:
    board = DASHBOARDS[name]
    assert board["templating"]["list"][0]["name"] == "datasource"
    assert board["templating"]["list"][0]["label"] == "Data source"
    sources = re.findall(r'"uid": "([^"]*)", "type": "prometheus"', json.dumps(board))
    sources += re.findall(r'"type": "prometheus", "uid": "([^"]*)"', json.dumps(board))
    assert {*sources} == {"$datasource"}


@each_dashboard
def test_rates_follow_the_zoom(name: str) -> None:
    for query in queries(name):
        for function, window in re.findall(r"\b(rate|irate|increase)\([^\[]*\[([^\]]*)\]", query):
            told = function == "increase" and window in {"$__range", "15m"}
            assert told or window == "$__rate_interval", query


@each_dashboard
def test_what_is_recorded_has_a_rule_and_follows_the_zoom(name: str) -> None:
    rules = "".join(path.read_text() for path in (ROOT / "monitoring/prometheus/rules").iterdir())
    for query in queries(name):
        for recorded in re.findall(r"\binstance\w*:[\w:]+", query):
            assert f"record: {recorded}\n" in rules
        for window in re.findall(r"_over_time\([^\[]*\[([^\]]*)\]", query):
            assert window == "$__interval", query


@each_dashboard
def test_counters_are_never_shown_raw(name: str) -> None:
    for query in queries(name):
        for counter in re.findall(r"\b\w+_total\b", query):
            assert re.search(rf"(rate|increase)\({counter}\b", query), query


@each_dashboard
def test_variables_are_used_where_they_are_defined(name: str) -> None:
    defined = {variable["name"] for variable in DASHBOARDS[name]["templating"]["list"]}
    used = {*re.findall(r"\$([a-z]\w*)", " ".join(queries(name)))}
    assert used | {"datasource"} == defined


@each_dashboard
def test_events_are_asked_for_and_links_keep_time_and_choices(name: str) -> None:
    board = DASHBOARDS[name]
    events = {one["name"] for one in board["annotations"]["list"] if one.get("expr")}
    assert events == {"Load", "Worker start", "Migration", "Backfill", "MySQL restart", "Alert"}
    assert [(link["keepTime"], link["includeVars"]) for link in board["links"]] == [(True, True)]


@each_dashboard
def test_it_asks_no_more_than_a_server_can_bear(name: str) -> None:
    assert len(queries(name)) <= QUERIES_AT_MOST


def test_every_metric_of_the_pool_is_shown_or_alerted_on() -> None:
    asked = " ".join(chain(*map(queries, DASHBOARDS), (alert.expression for alert in ALERTS)))
    rules = (ROOT / "monitoring/prometheus/rules/pool.yml").read_text()
    for metric in (*METRICS, BUDGET_NEEDED, BUDGET_LIMIT):
        assert metric.name in asked + rules, metric.name


def rows() -> Iterator[tuple[str, ...]]:
    """What is counted of each dashboard."""
    for name in DASHBOARDS:
        shown = panels(name)
        rates = [q for q in queries(name) if re.search(r"\brate\(", q)]
        yield tuple(map(str, (
            name, len(shown), len(queries(name)),
            sum(bool(panel["description"]) for panel in shown),
            sum(bool(panel["fieldConfig"]["defaults"]["unit"]) for panel in shown),
            f"{sum('$__rate_interval' in q for q in rates)}/{len(rates)}",
            sum(panel["type"] in LEGACY for panel in shown),
            sum('"uid": "prometheus"' in json.dumps(panel) for panel in shown),
        )))  # fmt: skip


if __name__ == "__main__":
    table = Table("dashboard", "panels", "queries", "described", "with unit", "rates by zoom",
                  "legacy", "fixed source")  # fmt: skip
    for row in rows():
        table.add_row(*row)
    Console().print(table)
