"""Scenarios as they are sent: open arrivals, closed users, several processes."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest

from loadtest import scenario
from loadtest.lab.ports import free_port
from loadtest.lab.results import percentile
from loadtest.lab.samples import LoadSample, Scrape, load_sample
from loadtest.records import requests
from tests.loadtest.conftest import SCENARIO, Result, Written, started
from tests.loadtest.fake_clinic import FakeClinic
from tests.waiting import eventually

LONGER = SCENARIO.replace("seconds = 1", "seconds = 5").replace("rate = 60", "rate = 40")
PATIENT = "[slo]\np95_ms = 20000\n"  # somebody waits for what the test does


def test_a_stall_is_seen_by_open_arrivals_and_hidden_by_closed_users(
    written: Written, tmp_path: Path
) -> None:
    path = written(LONGER)
    opened, closed = tmp_path / "open.csv", tmp_path / "closed.csv"
    with (
        FakeClinic(freeze_at=20, freeze_for=1.5) as one,
        FakeClinic(freeze_at=20, freeze_for=1.5) as other,
        started("load", path, "--host", one.host, "--requests-file", str(opened)) as first,
        started(
            "load", path, "--closed", "--host", other.host, "--requests-file", str(closed)
        ) as second,
    ):
        said, hidden = (process.communicate(timeout=40)[0] for process in (first, second))
    assert (first.returncode, second.returncode) == (1, 0), f"{said}\n{hidden}"
    assert "expected a p95 of at most 1000 ms" in said
    assert p95(opened) > 1
    assert p95(closed) < 0.5
    found = sorted(requests(opened), key=lambda one: one.due)
    assert len(found) == 200 > len(list(requests(closed))), "nobody made up for missed turns"
    distances = {round(after.due - one.due, 2) for one, after in pairwise(found)}
    assert distances <= {0.02, 0.03}, "though nobody was answered for a while"


def test_what_a_generator_is_late_counts_as_response_time(written: Written, tmp_path: Path) -> None:
    record = tmp_path / "requests.csv"
    with (
        FakeClinic() as clinic,
        started(
            "load", written(), "--host", clinic.host, "--requests-file", str(record)
        ) as process,
    ):
        eventually(lambda: len(clinic.paths) > 2, within=30, every=0.01)
        process.send_signal(signal.SIGSTOP)
        Event().wait(0.7)  # for so long nothing can be sent
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=30)
    found = sorted(requests(record), key=lambda one: one.due)
    assert len(found) == 60, "all that was due meanwhile is sent afterwards"
    assert found[-1].due - found[0].due == pytest.approx(59 / 60, abs=0.01)
    assert max(one.seconds for one in found) > 0.4


@pytest.mark.parametrize(("users", "come_back"), [((), False), (("--closed",), True)])
def test_an_arrival_is_a_stranger_and_a_closed_user_comes_back(
    loadtest: Callable[..., Result], written: Written, users: tuple[str, ...], come_back: bool
) -> None:
    path = written(SCENARIO.replace('"GET /lab/hold" = 1', "book = 1"))
    with FakeClinic() as clinic:
        result = loadtest("load", path, *users, "--host", clinic.host)
    assert result.returncode == 0, result.stderr
    assert len(clinic.booked) > 20
    assert bool(clinic.known) == come_back


def p95(path: Path) -> float:
    return percentile(sorted(one.seconds for one in requests(path)), 0.95) or 0.0


def test_closed_users_send_the_rate_and_nothing_where_it_is_zero(
    loadtest: Callable[..., Result], written: Written, tmp_path: Path
) -> None:
    record = tmp_path / "requests.csv"
    pause = '[[stage]]\nname = "pause"\nseconds = 0.25\nrate = 0\n'
    ramp = '[[stage]]\nname = "ramp"\nseconds = 0.25\nrate = 0\nto = 60\n'
    path = written(SCENARIO.replace("seconds = 1", "seconds = 0.5") + pause + ramp)
    with FakeClinic() as clinic:
        result = loadtest(
            "load", path, "--closed", "--host", clinic.host, "--requests-file", str(record)
        )
    assert result.returncode == 0, result.stderr
    began = float(re.findall("^Traffic began at (.*)$", result.stderr, re.M)[0])
    stages = scenario.load(path)
    sent = Counter(
        stage.name if (stage := stages.stage_at(one.due - began)) else "after"
        for one in requests(record)
    )
    assert min(one.due for one in requests(record)) >= began - 0.001
    assert 0 < sent["only"] <= 36
    assert sent["pause"] <= 6, "who has begun a turn may end it"
    assert 0 < sent["ramp"] < sent["only"]


def test_arrivals_beyond_the_most_in_flight_are_dropped_and_counted(
    written: Written, tmp_path: Path
) -> None:
    record, port = tmp_path / "requests.csv", free_port()
    with (
        FakeClinic(freeze_at=1) as clinic,
        started(
            "load", written(), "--host", clinic.host, "--most-in-flight", "5",
            "--requests-file", str(record), LOADTEST_METRICS_BIND=f"127.0.0.1:{port}",
        ) as process,
    ):  # fmt: skip
        seen: list[LoadSample] = []

        def all_have_arrived() -> bool:
            seen.extend(samples(port))
            return bool(seen) and seen[-1].arrivals == 60

        eventually(all_have_arrived, within=30, every=0.05)
        clinic.thaw()
        output, _ = process.communicate(timeout=30)
    assert max(sample.in_flight for sample in seen) == 5
    assert (seen[-1].arrivals, seen[-1].dropped) == (60, 55)
    assert clinic.most_at_once == len(clinic.paths) == len(list(requests(record))) == 5
    assert process.returncode == 1
    assert "found 91.67% of 60" in output, "who was dropped was not served"
    assert "55 arrivals were dropped" in output


def test_processes_share_the_arrivals(written: Written, tmp_path: Path) -> None:
    record, port = tmp_path / "requests.csv", free_port()
    with (
        FakeClinic(freeze_at=1) as clinic,
        started(
            "load", written(SCENARIO + PATIENT), "--host", clinic.host, "--processes", "2",
            "--requests-file", str(record), LOADTEST_METRICS_BIND=f"127.0.0.1:{port}",
        ) as process,
    ):  # fmt: skip
        eventually(
            lambda: [one.arrivals for one in samples(port, port + 1)] == [30, 30],
            within=30,
            every=0.05,
        )
        clinic.thaw()
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    found = list(requests(record))
    assert len(found) == len(clinic.paths) == 60
    assert len({one.due for one in found}) > 30, "each has times of its own"
    assert all(one.good and one.status == 200 for one in found)
    assert "of 60 requests failed" in output


def samples(*ports: int) -> list[LoadSample]:
    """What the generators tell; those that do not answer yet are left out."""
    scrapes = [Scrape.of(f"http://127.0.0.1:{port}/metrics") for port in ports]
    return [load_sample(scrape) for scrape in scrapes if scrape and scrape.has("locust_users")]


def test_a_run_is_aborted_once_its_slo_was_missed_for_long(
    loadtest: Callable[..., Result], written: Written
) -> None:
    path = written(SCENARIO.replace("seconds = 1", "seconds = 60"))
    with FakeClinic(failing=True) as clinic:
        result = loadtest("load", path, "--host", clinic.host, "--slo-abort-after", "1")
    assert result.returncode == 4, result.stderr
    assert "Aborted: the SLO was missed for 1 s." in result.stderr
    assert "found 100.00% of" in result.stderr
    assert 60 < len(clinic.paths) < 60 * 40


def test_a_good_run_is_not_aborted_before_anything_was_measured(
    loadtest: Callable[..., Result], written: Written, tmp_path: Path
) -> None:
    record = tmp_path / "requests.csv"
    every_action = (
        "{search = 1, appointments = 1, book = 1, report = 1, "
        '"GET /lab/hold?seconds={exponential:0.01}" = 1}'
    )
    path = written(SCENARIO.replace('{"GET /lab/hold" = 1}', every_action))
    with FakeClinic() as clinic:
        result = loadtest(
            "load", path, "--host", clinic.host, "--slo-abort-after", "1",
            "--requests-file", str(record),
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert {one.name for one in requests(record)} == {
        "/api/v1/slots",
        "/api/v1/patients/<int:patient_id>/appointments",
        "/api/v1/appointments",
        "/api/v1/reports/utilisation",
        "/lab/hold",
    }
    holds = [float(path.partition("=")[2]) for path in clinic.paths if "hold" in path]
    assert len(set(holds)) == len(holds) > 1
    assert 0 < sum(holds) / len(holds) < 0.1


def test_who_repeats_what_failed_asks_more(
    loadtest: Callable[..., Result], written: Written
) -> None:
    path = written(f"retries = 2\n{SCENARIO}".replace("rate = 60", "rate = 10"))
    with FakeClinic(failing=True) as clinic:
        result = loadtest("load", path, "--host", clinic.host)
    assert result.returncode == 1, result.stderr
    assert len(clinic.paths) == 30


def test_an_unknown_scenario_is_told_with_those_that_there_are(
    loadtest: Callable[..., Result],
) -> None:
    result = loadtest("load", "tsunami")
    assert result.returncode == 2
    assert "no scenario 'tsunami'" in result.stderr
    assert ", ".join(scenario.names()) in result.stderr
    assert "Traceback" not in result.stderr


def test_what_is_wrong_in_a_scenarios_file_is_told(
    loadtest: Callable[..., Result], written: Written
) -> None:
    result = loadtest("load", written("title = "))
    assert result.returncode == 2
    assert result.stderr.startswith("mine.toml: ")
    assert "Traceback" not in result.stderr


def test_a_scenario_for_nobody_is_told(loadtest: Callable[..., Result], written: Written) -> None:
    result = loadtest("load", written(), "--host", f"http://127.0.0.1:{free_port()}")
    assert result.returncode == 3
    assert "does not answer" in result.stderr
    assert "Traceback" not in result.stderr
