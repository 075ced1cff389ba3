"""Every error of docs/errors.md is raised for real, and says what the page quotes."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.pool.layout import CLOSE_REASONS, FAILURE_REASONS
from tests.errors import REPRODUCTIONS, Server, server_for
from tests.errors.page import PARTS, Entry, entries

ENTRIES = {entry.name: entry for entry in entries()}
ON_MYSQL = "TEST_DATABASE" in os.environ


@pytest.fixture(scope="module")
def server() -> Iterator[Server | None]:
    """The private server, or MySQL in a container when TEST_DATABASE names its image."""
    with ExitStack() as stack:
        yield stack.enter_context(server_for("any"))


def test_the_page_and_the_reproductions_are_the_same_errors() -> None:
    assert sorted(name for name, entry in ENTRIES.items() if entry.message) == sorted(REPRODUCTIONS)
    assert len(ENTRIES) >= 20


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_each_says_all_that_is_due(entry: Entry) -> None:
    assert [part for part in PARTS if part in entry.parts] == list(PARTS)


def test_at_least_five_are_pictured_where_their_text_stands() -> None:
    charts = {
        name: re.findall(r"!\[[^\]]+\]\(images/findings/([a-z-]+)\.svg\)", entry.text)
        for name, entry in ENTRIES.items()
    }
    shown = [chart for found in charts.values() for chart in found]
    assert len(shown) >= 5
    findings = Path(__file__).parents[2] / "docs/findings.md"
    for chart in shown:
        assert f"### {chart}\n" in findings.read_text(), chart
        assert (findings.parent / f"images/findings/{chart}.svg").exists(), chart


def test_the_panels_alerts_and_reasons_it_names_are_there() -> None:
    monitoring = Path(__file__).parents[2] / "monitoring"
    dashboards = (monitoring / "grafana/dashboards").glob("*.json")
    titles = set(re.findall(r'"title": "([^"]+)"', "".join(map(Path.read_text, dashboards))))
    rules = "".join(map(Path.read_text, (monitoring / "prometheus/rules").glob("*")))
    shown = "".join(entry.parts["On the dashboard"] for entry in ENTRIES.values())
    named = {re.sub(r"\s+", " ", title) for title in re.findall(r'"([^"]+\?)"', shown)}
    assert named - titles == set()
    alerts = re.findall(r"\b(?:[A-Z][a-z]+|MySQL){2,}\b", shown)
    assert {one for one in alerts if f"alert: {one}" not in rules} - {"MySQL"} == set()
    reasons = set(re.findall(r"reason `(\w+)`", shown))
    assert reasons - {*FAILURE_REASONS, *CLOSE_REASONS} == set()


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_it_is_raised_as_the_page_quotes_it(name: str, server: Server | None) -> None:
    reproduction = REPRODUCTIONS[name]
    if reproduction.needs in ("mysql", "docker") and not ON_MYSQL:
        pytest.skip("needs MySQL or Docker: make test-stack")
    if reproduction.needs == "docker" and not shutil.which("docker"):
        pytest.fail("make test-stack needs Docker")
    said = reproduction.run(server)
    assert ENTRIES[name].matches(said), said
