"""The stack comes up by itself, answers, and comes up again quickly."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.stack.stack import Stack
from tests.stack.traffic import ask, free_slots

SECOND_UP = 20.0  # seconds


def test_pages_and_api_answer_through_nginx(stack: Stack) -> None:
    assert stack.get("/")[0] == 302
    for path in ("/slots", "/livez", "/readyz", "/api/v1/openapi.json", "/api/docs/"):
        assert stack.get(path)[0] == 200, path
    assert len(stack.items("/slots?limit=20")) == 20


def test_the_metrics_port_is_not_public(stack: Stack) -> None:
    assert stack.get("/metrics")[0] == 404
    published = [container["HostConfig"]["PortBindings"] for container in stack.containers("app")]
    assert published == [{}]


def test_grafana_serves_the_dashboard(stack: Stack) -> None:
    if not stack.grafana:
        pytest.skip("Grafana is left out")
    status, body = stack.get("/api/dashboards/uid/pool", "GRAFANA_PORT")
    assert status == 200
    assert json.loads(body)["dashboard"]["uid"] == "pool"


def test_sample_data_is_there_and_a_second_up_is_quick_and_adds_none(stack: Stack) -> None:
    count = "SELECT COUNT(*) FROM patient"
    before = stack.sql(count)
    started = time.monotonic()
    stack.up()
    assert time.monotonic() - started < SECOND_UP
    assert stack.sql(count) == before == [["2000"]]


def test_the_schema_is_what_the_models_say(stack: Stack) -> None:
    run = ("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "flask", "migrate")
    stack.compose(*run, "db", "check")


def test_of_200_attempts_on_one_slot_one_wins(stack: Stack) -> None:
    slot = free_slots(stack, 1)[0]
    booking = {"slot_id": slot, "patient_id": stack.items("/patients?limit=1")[0]["id"]}

    def attempt(_: int) -> int | str:
        return ask(stack, "POST", "/api/v1/appointments", booking)[0]

    with ThreadPoolExecutor(200) as pool:
        answers = pool.map(attempt, range(200))
    assert Counter(answers) == {201: 1, 409: 199}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("CLINIC_DB_PASSWORD_FILE", "/run/secrets/clinic/missing"),
        ("CLINIC_DB_PASSWORD_FILE", "/run/secrets/clinic/secret_key"),  # a wrong password
        ("CLINIC_POOL_SIZE", "four"),
    ],
)
def test_what_cannot_work_ends_in_one_clear_message(stack: Stack, setting: str, value: str) -> None:
    run = ("run", "--rm", "--no-TTY", "--no-deps", "-e", f"{setting}={value}", "app")
    found = stack.compose(*run, check=False, timeout=30)
    assert found.returncode != 0
    assert "Traceback" not in found.stderr
    assert setting in found.stderr or "secret_key" in found.stderr
