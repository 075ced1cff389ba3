"""Documentation by test: every metric says what it is, and stands in the reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

from app.pool import Budget, BudgetCollector, PoolCollector, measured_pool, metrics_directory
from app.pool.catalogue import BUDGET_LIMIT, BUDGET_NEEDED, METRICS, POOL, Described, Kind
from tests.conftest import ROOT
from tests.pool.oracle import Recording, only

ALL = (*METRICS, BUDGET_NEEDED, BUDGET_LIMIT)
REFERENCE = (ROOT / "docs" / "metrics.md").read_text()


@pytest.fixture
def exported(name: str, tmp_path: Path) -> dict[str, Metric]:
    """What a pool that has been used exports."""
    engine = Recording().engine(measured_pool(name))
    engine.connect().close()
    with engine.connect():
        registry = CollectorRegistry()
        registry.register(PoolCollector(only(name, metrics_directory(), tmp_path)))
        registry.register(BudgetCollector(name, Budget(2, 1, 4, 2, 100, 10)))
        return {family.name: family for family in registry.collect()}


def test_nothing_is_exported_that_is_not_described(exported: dict[str, Metric]) -> None:
    assert sorted(exported) == sorted(metric.name for metric in ALL)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_metric(metric: Described, exported: dict[str, Metric], name: str) -> None:
    family = exported[metric.name]
    assert family.type == metric.kind
    assert family.documentation == metric.meaning
    assert re.fullmatch(r"[A-Z].+\.", metric.meaning)
    assert re.fullmatch(r"[A-Za-z].+\.", metric.advice)
    assert metric.unit in {"connections", "threads", "errors", "seconds"}
    assert (metric.unit == "seconds") == metric.name.endswith("_seconds")
    assert not metric.name.endswith("_total")
    assert f"| `{metric.name}` | {metric.kind} |" in REFERENCE
    assert metric.meaning in REFERENCE
    samples = [one for one in family.samples if one.labels[POOL] == name]
    labels = {label for one in samples for label in one.labels} - {"le", POOL, "worker"}
    assert labels == set(metric.labels)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_value_of_a_label_is_there_from_the_start(
    metric: Described, exported: dict[str, Metric], name: str
) -> None:
    """A counter that appears with its first event hides that event from rate()."""
    samples = [one for one in exported[metric.name].samples if one.labels[POOL] == name]
    for label, values in metric.labels.items():
        if values:
            assert {one.labels[label] for one in samples} == set(values)


def test_kinds_are_those_of_prometheus() -> None:
    text = "".join(f"# TYPE {kind}_metric {kind}\n" for kind in Kind)
    assert [one.type for one in text_string_to_metric_families(text)] == list(Kind)
