from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

from loadtest.lab.ports import free_port
from loadtest.lab.samples import Scrape, load_sample
from tests.loadtest.conftest import Result, started
from tests.loadtest.fake_clinic import FakeClinic
from tests.waiting import eventually

SHORT = ("--run-time", "2s", "--users", "20", "--spawn-rate", "20")


def test_every_booking_answered_201_is_recorded(
    loadtest: Callable[..., Result], tmp_path: Path
) -> None:
    record = tmp_path / "bookings.jsonl"
    with FakeClinic() as clinic:
        result = loadtest("steady", "--host", clinic.host, *SHORT, "--bookings-file", str(record))
    assert result.returncode == 0, result.stderr
    assert "SLO met" in result.stderr
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    expected = [
        {"appointment_id": one["id"], "slot_id": one["slot_id"], "patient_id": one["patient_id"]}
        for one in clinic.booked
    ]
    assert len(lines) > 1
    assert sorted(lines, key=str) == sorted(expected, key=str)
    assert {line["patient_id"] for line in lines} <= {31, 32}, "ids are learned from the API"
    assert set(clinic.keys.values()) == {1}, "each booking has a key of its own"
    assert not re.search(r"/api/v1/\S*/\d", result.stderr), "names are URL rules"
    assert {one.partition("/")[0] for one in clinic.changed} <= {
        str(one["id"]) for one in clinic.booked
    }, "users change only what they booked"


def test_a_503_is_a_failure_and_is_retried_once_with_its_key(
    loadtest: Callable[..., Result],
) -> None:
    with FakeClinic(busy=True) as clinic:
        result = loadtest("steady", "--host", clinic.host, *SHORT)
    assert result.returncode == 1
    assert re.search(r"SLO missed: expected at most 0.10% failed requests, found", result.stderr)
    assert set(clinic.keys.values()) == {2}
    assert len(clinic.booked) == len(clinic.keys)


def test_a_409_is_no_failure_but_slow_answers_miss_the_slo(
    loadtest: Callable[..., Result],
) -> None:
    with FakeClinic(taken=True, delay=0.05) as clinic:
        result = loadtest("steady", "--host", clinic.host, *SHORT, "--slo-p95-ms", "20")
    assert result.returncode == 1
    assert re.search(r"expected a p95 of at most 20 ms, found \d+ ms", result.stderr)
    assert "failed requests" not in result.stderr
    assert "/api/v1/appointments [too late]" in result.stderr


def test_interrupted_run_prints_its_result_and_serves_metrics_meanwhile() -> None:
    bind = f"127.0.0.1:{free_port()}"
    with (
        FakeClinic() as clinic,
        started("spike", "--host", clinic.host, LOADTEST_METRICS_BIND=bind) as run,
    ):
        scrape = eventually(lambda: _with_all_users(f"http://{bind}/metrics"), within=30)
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=30)
    assert scrape
    assert load_sample(scrape).failures == 0
    assert scrape.sum("locust_profile_info", profile="spike") == 1
    assert scrape.sum("locust_requests_total", method="GET", name="/api/v1/slots") > 0
    assert scrape.buckets("locust_response_time_seconds")[float("inf")] > 0
    assert "Aggregated" in output
    assert "SLO met" in output


def _with_all_users(url: str) -> Scrape | None:
    """Its metrics once all users of the first stage run, and slots were asked for."""
    scrape = Scrape.of(url)
    slots = scrape and scrape.sum("locust_requests_total", name="/api/v1/slots")
    return scrape if scrape and slots and scrape.sum("locust_users") == 8 else None
