from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from loadtest.lab import commands, report
from loadtest.lab.colours import COLOURS
from loadtest.lab.run import Run
from loadtest.lab.samples import Sample
from loadtest.lab.sources import Alert
from loadtest.lab.verdict import explanation, headline
from loadtest.lab.view import LOAD, POOL, View, plain_line, sparkline
from loadtest.lab.waterfall import PARTS
from loadtest.scenario import Scenario
from loadtest.slo import Slo
from tests.loadtest.runs import MARKS, RESULTS, STAGES, pool, result, spike


class Elements(HTMLParser):
    """Collects element names and attribute values; fails on elements closed in a wrong order."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.references: list[str] = []
        self.classes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.note(tag, dict(attrs))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.note(tag, dict(attrs))

    def note(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.seen.append(tag)
        self.references += [
            value or "" for name in ("src", "href") if (value := attributes.get(name))
        ]
        self.classes.append(attributes.get("class") or "")
        if tag == "rect":
            assert float(attributes["width"] or "") >= 0

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def everything() -> Run:
    """A run of which each part of the report has something to say."""
    return replace(
        spike(),
        holds="exponential",
        alerts=[Alert("PoolWaiters", 12.5), Alert("AppDown", 3.25)],
        expected_alerts=["PoolWaiters", "PoolTimeouts"],
        closed=[result("all", 10, 900, p95=0.06)],
        fault="freeze",
        fault_bounds=[3.5, 5.5],
        samples=[
            replace(one, pool=replace(one.pool or pool(), uses=one.at * 90, use_seconds=one.at))
            for one in spike().samples
        ],
    )


SECTIONS = {
    "Would the dashboard have told you?",
    "Stage by stage",
    "What closed users would have hidden",
    "Where did it wait?",
    "Does it add up?",
    "Second by second",
    "What ran",
}
ALWAYS = {"Second by second", "What ran"}


def sections(html: str) -> set[str]:
    return set(re.findall("<h2>(.*?)</h2>", html))


@pytest.mark.parametrize("run", [spike(), everything()], ids=["spike", "everything"])
def test_report_is_one_small_file_without_the_network(run: Run) -> None:
    html = report.render(run)
    elements = Elements(html)
    assert not elements.open
    assert not elements.references
    assert "://" not in html
    assert "@import" not in html
    assert "url(" not in html
    assert len(html.encode()) < 1_000_000
    charts = report.all_charts(run.samples, run.thresholds)
    assert elements.seen.count("svg") == len(charts) == 8


def test_two_hours_are_still_a_small_report() -> None:
    long = [replace(everything().samples[at % 11], at=float(at)) for at in range(7200)]
    assert len(report.render(replace(everything(), samples=long)).encode()) < 1_000_000


def test_report_begins_with_its_verdict_and_escapes_what_it_was_given() -> None:
    html = report.render(spike())
    assert headline(spike()) in html
    assert html.index(headline(spike())) < html.index("Stage by stage")
    for sentence in explanation(spike())[1:]:
        assert sentence in html
    assert "SLO met: &lt;b&gt;" in html
    assert "1,234" in html


def test_nothing_that_it_was_given_is_taken_for_markup() -> None:
    evil = "</script><b x='1'>&"
    run = everything()
    html = report.render(
        replace(
            run,
            scenario=evil,
            source=evil,
            title=evil,
            target=evil,
            started_at=evil,
            settings={evil: evil},
            versions={evil: evil},
            fault=evil,
            slo=evil,
            invalid=evil,
            ended_early=evil,
            broken=[evil],
            alerts=[Alert(evil, 1)],
            expected_alerts=[evil, f"{evil}2"],
            marks=[replace(MARKS[0], says=evil, found=evil)],
            stages=[replace(STAGES[0], name=evil), *STAGES[1:]],
            results=[replace(RESULTS[0], name=evil), *RESULTS[1:]],
        )
    )
    assert evil not in html
    assert "<b x=" not in html
    assert not Elements(html).open


def test_a_section_is_there_when_there_is_data_for_it() -> None:
    assert sections(report.render(everything())) == SECTIONS
    silent = spike().samples[:4]
    assert "Stage by stage" in report.render(replace(spike(), samples=silent))
    bare = replace(
        spike(),
        marks=[],
        results=[],
        samples=[replace(sample, pool=pool()) for sample in spike().samples],
    )
    assert sections(report.render(bare)) == ALWAYS


def test_every_promise_is_told_with_what_came_of_it() -> None:
    html = report.render(everything())
    rows = re.findall(r"<tr><td>(alert .*?|.*?nobody waits.*?)</tr>", html)
    assert [re.sub("<.*?>", "|", row) for row in rows] == [
        "nobody waits||waiting, recovery||at most 0 at the end||0 at the end||||seen|",
        "alert PoolWaiters||||fires||fired||12.5 s||seen|",
        "alert AppDown||||–||fired||3.2 s|||",
        "alert PoolTimeouts||||fires||did not fire||||not seen|",
    ]
    assert "Alerts were not looked at" not in html
    assert "Alerts were not looked at" in report.render(spike())


def test_a_good_run_looks_good_and_no_other() -> None:
    good = spike(waiting=0)
    for run, is_calm in (
        (good, True),
        (spike(), False),
        (replace(good, missed=True), False),
        (replace(good, invalid="too slow"), False),
        (replace(good, broken=["a booking is lost"]), False),
        (replace(good, broken=[]), True),
        (replace(good, ended_early="it was interrupted"), False),
    ):
        assert ("card verdict calm" in Elements(report.render(run)).classes) is is_calm


def test_every_series_has_its_colour() -> None:
    for chart in report.all_charts(spike().samples, spike().thresholds):
        for series in chart.series:
            assert series.name in COLOURS
    for row in (*LOAD, *POOL):
        assert row.label in COLOURS
    assert {"fault", *PARTS} <= COLOURS.keys()


def test_shaded_bands_are_when_threads_waited_and_when_something_was_broken() -> None:
    assert report.waiting_bands(spike().samples) == [(3.0, 7.0)]
    assert report.waiting_bands(spike(waiting=0).samples) == []
    assert report.fault_bands(spike()) == []
    run = replace(everything(), began=2.0)
    assert report.fault_bands(run) == [(5.5, 7.5)]
    elements = Elements(report.render(run))
    assert elements.classes.count("band fault") == elements.classes.count("band waiting") == 8
    assert "fault: freeze" in report.render(run)


def test_a_fault_after_the_runs_early_end_is_no_band() -> None:
    early = replace(everything(), samples=everything().samples[:3], ended_early="somebody did it.")
    assert "band fault" not in Elements(report.render(early)).classes


def test_a_limit_far_above_its_curve_is_told_and_not_drawn() -> None:
    def p95(**thresholds: float) -> Any:
        charts = report.all_charts(spike().samples, thresholds)
        return next(chart for chart in charts if chart.title.startswith("Response time"))

    near = p95(**{"response p95": 0.25})
    assert [one.name for one in near.series] == ["p95", "limit"]
    assert set(near.series[1].values) == {250}
    far = p95(**{"response p95": 20.0})
    assert [one.name for one in far.series] == ["p95"]
    assert "Limit: 20.0 s." in far.note
    assert "Limit" not in p95().note


def test_numbers_drawn_are_the_numbers_recorded() -> None:
    html = report.render(spike(waiting=17))
    data = re.search(r'id="data">(.*?)</script>', html)
    assert data
    assert "[0, 0, 0, 0, 17, 17, 17, 17, 0, 0, 0]" in data.group(1)
    assert json.loads(data.group(1))["times"] == list(range(11))


def test_key_figures_are_those_of_the_stage_in_focus() -> None:
    html = report.render(spike())
    figures = dict(re.findall(r"<div><b>(.*?)</b><span>(.*?)</span></div>", html))
    assert figures["200/s"] == "requests in spike"
    assert figures["198/s"] == "good within 1 s"
    assert figures["900 ms"] == "p95 in spike"
    assert figures["1.0%"] == "failed in spike"


def test_a_run_with_gaps_and_without_load_can_be_reported() -> None:
    samples = [Sample(float(at), spike().samples[at].pool, None) for at in range(3)]
    assert "never full" in report.render(
        replace(spike(), samples=[*samples, Sample(3, None, None)])
    )


def test_report_is_made_again_from_the_saved_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everything().save(tmp_path)
    assert Run.load(tmp_path) == everything()
    assert commands.main("report", [str(tmp_path)]) == 0
    path = Path(capsys.readouterr().out.removeprefix("Report: ").strip())
    assert path.read_text() == report.render(everything())


def test_a_directory_without_a_run_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main("report", [str(tmp_path)]) == 2
    assert f"{tmp_path} holds no recorded run" in capsys.readouterr().out


def test_a_run_in_which_nothing_answered_is_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(spike(), samples=[Sample(0.0, None, None)]).save(tmp_path)
    assert commands.main("report", [str(tmp_path)]) == 2
    assert "nothing to report: the application's metrics never answered" in capsys.readouterr().out


def test_sparkline_is_scaled_to_its_highest_and_leaves_gaps() -> None:
    assert sparkline([0, None, 5, 10], 10) == "▁ ▅█"
    assert sparkline([0, 0], 10) == "▁▁"
    assert sparkline([1, 2, 4], 2) == "▅█"


def test_plain_line_has_the_numbers_that_matter() -> None:
    line = plain_line(spike().samples[:7], 6, "spike")
    for part in ("6 s", "spike", "in flight 3", "requests 100/s", "failed 1/s", "p95 190 ms",
                 "in use 12", "waiting 20"):  # fmt: skip
        assert part in line


SPIKE = Scenario("spike", "Spike", STAGES, Slo(0.05, 2000))


def test_without_a_terminal_the_view_prints_plain_lines() -> None:
    output = StringIO()
    view = View(Console(file=output, width=80), "Spike", SPIKE)
    with view.shown():
        view.update([], 0.0)
        for count in range(1, 12):
            view.update(spike().samples[:count], 0.0)
    lines = output.getvalue().splitlines()
    assert len(lines) == 2
    assert "spike" in lines[0]
    assert "finishing" in lines[1]
    assert "\x1b" not in output.getvalue()


def test_in_a_terminal_the_view_is_one_screen() -> None:
    output = StringIO()
    console = Console(file=output, width=90, height=40, force_terminal=True, color_system=None)
    view = View(console, "Spike", SPIKE)
    with view.shown():
        view.update(spike().samples, 0.0)
        view.update(spike().samples, 5.0)
    text = output.getvalue()
    for label in ("in flight", "requests", "p95", "in use", "idle", "waiting", "overflow",
                  "limit 12", "finishing", "spike"):  # fmt: skip
        assert label in text
    assert max(len(line) for line in re.sub(r"\x1b\[[\d;?]*\w", "", text).splitlines()) <= 90
