"""The rules: valid, tested by promtool, loaded by Prometheus, and true of a real spike."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.stack.conftest import Spike
from tests.stack.stack import ROOT, Stack
from tests.waiting import eventually

FILES = ROOT / "monitoring/prometheus"
MOUNTED = "/etc/prometheus"
RULES = sorted(file.stem for file in (FILES / "rules").iterdir())
LAW = "sum(instance_pool:db_client_connection_use_time_seconds_sum:rate1m)"
MEASURED = "sum(instance_pool:db_client_connection_count_used:avg1m)"


@pytest.fixture(scope="module")
def image() -> str:
    """The stack's image of Prometheus."""
    config = Stack("poolsight-config", grafana=True, ports={}).compose(
        "config", "--images", "prometheus"
    )
    return config.stdout.strip()


def promtool(image: str, *arguments: str) -> str:
    """Run promtool on the files of the stack; return what it says, which must be success."""
    options = ("--rm", "--network", "none", "--volume", f"{FILES}:{MOUNTED}:ro")
    found = subprocess.run(
        ["docker", "run", *options, "--entrypoint", "promtool", image, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.mark.parametrize("name", RULES)
def test_rules_are_valid_and_do_what_their_tests_say(image: str, name: str) -> None:
    promtool(image, "check", "rules", "--lint-fatal", f"{MOUNTED}/rules/{name}.yml")
    promtool(image, "test", "rules", f"{MOUNTED}/tests/{name}_test.yml")


def test_every_file_of_rules_is_named_in_a_valid_configuration(image: str) -> None:
    said = promtool(image, "check", "config", f"{MOUNTED}/prometheus.yml")
    assert f"{len(RULES)} rule files found" in said


def test_prometheus_evaluates_every_rule(stack: Stack) -> None:
    eventually(lambda: set(health(stack).values()) == {"ok"}, within=30)
    assert "instance_pool:db_client_connection_count_used:avg1m" in health(stack)


def health(stack: Stack) -> dict[str, str]:
    """How each rule's last evaluation went."""
    _, body = stack.get("/api/v1/rules", "PROMETHEUS_PORT")
    groups = json.loads(body)["data"]["groups"]
    return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}


def test_littles_law_holds_for_the_spike(stack: Stack, spike: Spike) -> None:
    law, measured = (
        stack.value(f"avg_over_time{spike.during(series, '15s')}") for series in (LAW, MEASURED)
    )
    assert law
    assert measured
    # The one counts every use; the other looks each 5 s, and so at some five moments of a spike of
    # 25 s that fills and empties the pool many times between them.
    assert law == pytest.approx(measured, rel=0.5)
