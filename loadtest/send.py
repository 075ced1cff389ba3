"""Becomes Locust, for a profile or for a scenario's traffic, once the target is known to answer."""

import json
import math
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import NoReturn

from loadtest.catalogue import Profile
from loadtest.scenario import Scenario

TARGET_TIMEOUT = 5.0  # seconds
CLOSED_TURNS = 10.0  # of each closed user, per second
USERS = Path(__file__).parent / "users"

# The SLO decides about the exit code (loadtest.hooks), not single failed requests. The stop
# timeout lets users finish: a booking in flight would otherwise be made and never recorded.
COMMON = "--headless --only-summary --loglevel WARNING --exit-code-on-error 0"
STOP_TIMEOUT = 5.0  # seconds
BEGAN = "Traffic began at "
"""Begins the line that tells when, in seconds since 1970; whoever times faults waits for it."""

ANSWER_TIMEOUT = 20.0  # seconds: beyond the longest that a generator waits for an answer


def target_problem(host: str) -> str | None:
    """Ask the target for one clinician; return what is wrong with the answer, or None."""
    url = f"{host}/api/v1/clinicians?limit=1"
    try:
        with urllib.request.urlopen(url, timeout=TARGET_TIMEOUT) as answer:  # noqa: S310
            items = json.load(answer)["items"]
    except urllib.error.HTTPError as error:
        return f"{url} answered {error.code}: the application is there, but not ready."
    except OSError as error:
        reason = getattr(error, "reason", error)
        return f"{host} does not answer ({reason}). Is the application running?"
    except (ValueError, KeyError, TypeError, HTTPException):
        return f"{url} did not answer with the clinic's JSON. Is this the right --host?"
    return None if items else f"{host} has no data yet: run 'flask seed' first."


def profile_options(profile: Profile) -> list[str]:
    """Return Locust's options for a profile."""
    return [
        "--config", str(profile.path), "--profile", profile.name,
        "--stop-timeout", f"{STOP_TIMEOUT:g}",
    ]  # fmt: skip


def scenario_options(scenario: Scenario, *, closed: bool = False, generators: int = 1) -> list[str]:
    """Return Locust's options for a scenario's traffic, by open arrivals or by closed users.

    ``generators`` share the arrivals; it takes one for each of Locust's worker processes.
    """
    busiest = max(max(stage.rate, stage.last_rate) for stage in scenario.stages)
    users = max(1, math.ceil(busiest / CLOSED_TURNS)) if closed else generators
    return [
        "--locustfile", str(USERS / ("closed.py" if closed else "arrivals.py")),
        "--scenario", scenario.source, "--profile", scenario.name,
        "--users", str(users), "--spawn-rate", str(users), "--generators", str(users),
        "--run-time", f"{math.ceil(scenario.seconds) + 1}s",
        "--stop-timeout", f"{ANSWER_TIMEOUT:g}",
        "--slo-max-fail-ratio", str(scenario.slo.max_fail_ratio),
        "--slo-p95-ms", str(scenario.slo.p95_ms),
        "--slo-abort-after", str(scenario.slo.abort_after),
    ]  # fmt: skip


def become_locust(host: str, options: Sequence[str]) -> NoReturn:
    """Replace this process with Locust."""
    command = [sys.executable, "-m", "locust", *COMMON.split(), "--host", host, *options]
    os.execv(sys.executable, command)  # noqa: S606
