"""A scenario from inside the stack: sent, judged by its Prometheus, and reported."""

from __future__ import annotations

import json

from tests.stack.stack import Stack


def test_a_scenario_runs_in_the_load_container(stack: Stack) -> None:
    done = stack.compose(
        "run", "--rm", "--no-TTY", "loadtest", "run", "steady", "--json", check=False, timeout=180
    )
    run = json.loads(done.stdout)
    assert done.returncode in (0, 1), done.stderr  # 1: a small machine may miss the service level
    assert run["target"] == "url"
    # Whether each mark was seen is for a quiet machine to say: make drill-fingerprints.
    assert run["marks"]
    assert all(mark["found"] for mark in run["marks"])
    assert run["alerts"] is not None, "Prometheus was asked"
    asked = {
        rule for sample in run["samples"] if sample["pool"] for rule in sample["pool"]["parts"]
    }
    assert {"/api/v1/slots", "/api/v1/appointments"} <= asked
