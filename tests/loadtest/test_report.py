from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from loadtest.lab import report
from loadtest.lab.colours import COLOURS
from loadtest.lab.facts import facts
from loadtest.lab.run import Run
from loadtest.lab.samples import Sample
from loadtest.lab.verdict import headline
from loadtest.lab.view import LOAD, POOL, View, plain_line, sparkline
from tests.loadtest.runs import STAGES, spike


class Elements(HTMLParser):
    """Collects element names and attribute values; fails on elements closed in a wrong order."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.references: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_report_is_one_small_file_without_the_network() -> None:
    html = report.render(spike())
    elements = Elements(html)
    assert not elements.open
    assert not elements.references
    assert "://" not in html
    assert "@import" not in html
    assert "url(" not in html
    assert len(html.encode()) < 1_000_000
    assert elements.seen.count("svg") == len(report.all_charts(spike().samples)) == 7


def test_report_begins_with_its_verdict_and_escapes_what_it_was_given() -> None:
    html = report.render(spike())
    assert headline(facts(spike())) in html
    assert html.index(headline(facts(spike()))) < html.index("Stage by stage")
    assert "SLO met: &lt;b&gt;" in html
    assert "1,234" in html


def test_every_series_has_its_colour() -> None:
    for chart in report.all_charts(spike().samples):
        for series in chart.series:
            assert series.name in COLOURS
    for row in (*LOAD, *POOL):
        assert row.colour in COLOURS


def test_shaded_bands_are_when_threads_waited() -> None:
    assert report.waiting_bands(spike().samples) == [(3.0, 7.0)]
    assert report.waiting_bands(spike(waiting=0).samples) == []


def test_numbers_drawn_are_the_numbers_recorded() -> None:
    html = report.render(spike(waiting=17))
    data = re.search(r'id="data">(.*?)</script>', html)
    assert data
    assert "[0, 0, 0, 0, 17, 17, 17, 17, 0, 0, 0]" in data.group(1)


def test_a_run_with_gaps_and_without_load_can_be_reported() -> None:
    samples = [Sample(float(at), spike().samples[at].pool, None) for at in range(3)]
    assert "never full" in report.render(
        replace(spike(), samples=[*samples, Sample(3, None, None)])
    )


def test_report_is_made_again_from_the_saved_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spike().save(tmp_path)
    assert Run.load(tmp_path) == spike()
    assert report.main([str(tmp_path)]) == 0
    assert Path(capsys.readouterr().out.strip()).read_text() == report.render(spike())


def test_a_directory_without_a_run_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.main([str(tmp_path)]) == 2
    assert "usage:" in capsys.readouterr().err


def test_sparkline_is_scaled_to_its_highest_and_leaves_gaps() -> None:
    assert sparkline([0, None, 5, 10], 10) == "▁ ▅█"
    assert sparkline([0, 0], 10) == "▁▁"
    assert sparkline([1, 2, 4], 2) == "▅█"


def test_plain_line_has_the_numbers_that_matter() -> None:
    line = plain_line(spike().samples[:7], "spike")
    for part in ("users 200", "requests 100/s", "failed 1/s", "in use 12", "waiting 20"):
        assert part in line


def test_without_a_terminal_the_view_prints_plain_lines() -> None:
    output = StringIO()
    view = View(Console(file=output, width=80), "Spike", STAGES)
    with view.shown():
        for count in range(1, 12):
            view.update(spike().samples[:count])
    lines = output.getvalue().splitlines()
    assert len(lines) == 2
    assert "\x1b" not in output.getvalue()


def test_in_a_terminal_the_view_is_one_screen() -> None:
    output = StringIO()
    console = Console(file=output, width=90, height=40, force_terminal=True, color_system=None)
    view = View(console, "Spike", STAGES)
    with view.shown():
        view.update(spike().samples)
    text = output.getvalue()
    for label in ("users", "requests", "in use", "idle", "waiting", "overflow", "limit 12"):
        assert label in text
    assert max(len(line) for line in re.sub(r"\x1b\[[\d;?]*\w", "", text).splitlines()) <= 90
