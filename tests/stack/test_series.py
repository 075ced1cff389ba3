"""Every series that is promised exists, and every query of the dashboard has an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product

import pytest

from app.pool.catalogue import BUDGET_LIMIT, BUDGET_NEEDED, METRICS, Described, Kind
from tests.stack.conftest import Spike
from tests.stack.stack import ROOT, Stack

POOL = 'db_client_connection_pool_name="clinic",worker=~"[0-9]+"'
STATUS = 'method=~"GET|POST",status=~"[0-9]{3}"'
REQUEST = 'method=~"GET|POST",name!=""'
SUFFIXES = {
    Kind.GAUGE: ("",),
    Kind.COUNTER: ("_total",),
    Kind.HISTOGRAM: ("_bucket", "_sum", "_count"),
    Kind.SUMMARY: ("_sum", "_count"),
}
BUDGET = 'db_client_connection_pool_name="clinic"'


def pool_series(metric: Described) -> Iterator[str]:
    """Every series of a metric of the pool: with each value of its labels."""
    labels = [[(name, value) for value in values] for name, values in metric.labels.items()]
    for chosen in product(*filter(None, labels)):
        own = "".join(f'{name}="{value}",' for name, value in chosen)
        for suffix in SUFFIXES[metric.kind]:
            yield f"{metric.name}{suffix}{{{own}{POOL}}}"


PROMISED = [
    *(series for metric in METRICS for series in pool_series(metric)),
    f"{BUDGET_NEEDED.name}{{{BUDGET}}}",
    f"{BUDGET_LIMIT.name}{{{BUDGET}}}",
    'sqlalchemy_pool_holder_use_seconds_count{holder="/api/v1/slots"}',
    f'flask_http_request_duration_seconds_bucket{{url_rule=~"/api/.*",{STATUS}}}',
    f'flask_http_request_duration_seconds_sum{{url_rule=~"/api/.*",{STATUS}}}',
    f'flask_http_request_duration_seconds_count{{url_rule=~"/api/.*",{STATUS}}}',
    f"flask_http_request_total{{{STATUS}}}",
    "locust_users",
    f"locust_requests_total{{{REQUEST}}}",
    f"locust_failures_total{{{REQUEST}}}",
    f"locust_response_time_seconds_bucket{{{REQUEST}}}",
    'locust_profile_info{profile="spike"}',
    "mysql_up",
    "mysql_global_status_threads_connected",
    "mysql_global_variables_max_connections",
    'mysql_info_schema_processlist_processes_by_user{mysql_user="app"}',
]
DASHBOARDS = [
    path
    for path in sorted((ROOT / "monitoring/grafana/dashboards").glob("*.json"))
    if path.stem != "fleet"  # of several machines: asked in tests/drills/swarm.py
]
QUERIES = [
    pytest.param(target["expr"], id=f"{path.stem}: {panel['title']} {target['legendFormat']}")
    for path in DASHBOARDS
    for panel in json.loads(path.read_text())["panels"]
    for target in panel.get("targets", [])
]
# Queries that have no answer when all is well, and why.
SILENT = {
    "sum by (method, name) (rate(locust_failures_total[$__rate_interval])) > 0":
        "it names the requests that fail",
}  # fmt: skip
VARIABLES = {
    "$job": ".+",
    "$instance": ".+",
    "$pool": ".+",
    "$__rate_interval": "1m",
    "$__interval": "5s",
    "$__range": "15m",
}


@pytest.mark.parametrize("series", PROMISED)
def test_promised_series_exists(stack: Stack, spike: Spike, series: str) -> None:
    assert stack.value(f"count(present_over_time({series}[15m]))")


def test_every_worker_and_nobody_else_is_shown(stack: Stack) -> None:
    workers = stack.prometheus("count by (worker) (db_client_connection_max)")
    assert {dict(labels)["worker"] for labels in workers} == {"0", "1"}


def test_every_target_is_up(stack: Stack) -> None:
    jobs = stack.prometheus('min by (job) (up{job!="loadtest"})')
    assert {dict(labels)["job"]: value for labels, value in jobs.items()} == {
        "app": 1, "mysql": 1, "prometheus": 1, "alertmanager": 1,
    }  # fmt: skip


def test_every_collector_of_the_exporter_may_do_its_work(stack: Stack) -> None:
    failed = stack.prometheus("mysql_exporter_collector_success == 0")
    assert failed == {}


@pytest.mark.parametrize("expression", QUERIES)
def test_dashboard_query_has_an_answer(stack: Stack, spike: Spike, expression: str) -> None:
    if reason := SILENT.get(expression):
        pytest.skip(reason)
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in re.sub(r'"[^"]*"', "", expression)
    assert stack.prometheus(f"last_over_time({spike.during(expression)})")
