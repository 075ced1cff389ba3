"""Where requests waited: each fault on purpose shows up as the part of its name."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from app.waterfall import PARTS
from loadtest.lab.application import Application
from tests.server.conftest import THREADS, WORKERS, Scrape

SECONDS = "clinic_request_part_seconds_total"
DOCUMENT = "/api/v1/openapi.json"


def get(application: Application, path: str, sent: str | None = None) -> int:
    """The status of an answer to a request that its proxy sent at *sent*."""
    headers = {} if sent is None else {"X-Request-Start": sent}
    request = urllib.request.Request(application.url + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@contextmanager
def spent(application: Application, rule: str) -> Iterator[dict[str, float]]:
    """What requests of *rule* take meanwhile, to be read at the end.

    Seconds by part and all that Flask measured (``flask``), and the number of ``requests``.
    """
    took: dict[str, float] = {}
    before = _exported(application, rule)
    yield took
    after = _exported(application, rule)
    took.update({name: after[name] - before[name] for name in after})


def _exported(application: Application, rule: str) -> dict[str, float]:
    scrape = Scrape(application)
    return {
        **{part: scrape.total(SECONDS, url_rule=rule, part=part) for part in PARTS},
        "flask": scrape.total("flask_http_request_duration_seconds_sum", url_rule=rule),
        "requests": scrape.total("clinic_request_parts_count_total", url_rule=rule),
    }


def parts(took: dict[str, float]) -> dict[str, float]:
    return {part: took[part] for part in PARTS}


def test_slow_query_is_sql(application: Application) -> None:
    with spent(application, "/lab/slow") as took:
        assert get(application, "/lab/slow?seconds=0.5") == 200
    assert took["requests"] == 1
    assert max(PARTS, key=took.__getitem__) == "sql"
    assert took["sql"] >= 0.5
    assert took["connect"] > 0  # at least the ping
    assert took["before_app"] == took["pool_wait"] == 0


def test_connection_that_does_nothing_is_held(application: Application) -> None:
    with spent(application, "/lab/hold") as took:
        assert get(application, "/lab/hold?seconds=0.5") == 200
    assert max(PARTS, key=took.__getitem__) == "held"
    assert took["held"] >= 0.5
    assert took["sql"] > 0


def test_waiting_for_another_thread_is_pool_wait(application: Application) -> None:
    every = WORKERS * THREADS
    with spent(application, "/lab/hold") as took, ThreadPoolExecutor(every) as threads:
        list(threads.map(get, [application] * every, ["/lab/hold?seconds=0.4"] * every))
    assert took["requests"] == every
    assert took["pool_wait"] > 0.1
    assert took["held"] >= 0.4 * every


def test_several_connections_at_once_count_no_time_twice(application: Application) -> None:
    with spent(application, "/lab/nested") as took:
        began = time.monotonic()
        assert get(application, "/lab/nested?depth=3") == 200
        outside = time.monotonic() - began
    assert sum(parts(took).values()) <= outside
    assert took["sql"] > 0


def test_no_database_is_all_rest(application: Application) -> None:
    with spent(application, DOCUMENT) as took:
        assert get(application, DOCUMENT) == 200
    assert {part for part, seconds in parts(took).items() if seconds} == {"rest"}


@pytest.mark.parametrize("path", ["/lab/slow?seconds=0.2", "/lab/hold?seconds=0.2", DOCUMENT])
def test_parts_add_up_to_the_whole(application: Application, path: str) -> None:
    with spent(application, path.partition("?")[0]) as took:
        began = time.time()
        assert get(application, path, f"t={began:.6f}") == 200
        outside = time.time() - began
    assert took["before_app"] > 0
    assert took["flask"] <= sum(parts(took).values()) <= outside


def test_time_before_the_application(application: Application) -> None:
    with spent(application, DOCUMENT) as took:
        assert get(application, DOCUMENT, f"t={time.time() - 60:.3f}") == 200
    assert 60 <= took["before_app"] + 0.001 < 90


def test_header_that_says_nothing(application: Application) -> None:
    with spent(application, DOCUMENT) as took:
        for sent in ("soon", "", f"t={time.time() + 60:.3f}", f"t={time.time() - 7200:.3f}"):
            assert get(application, DOCUMENT, sent) == 200
    assert took["before_app"] == 0
    assert took["requests"] == 4


def test_labels_are_rules_and_probes_have_none(application: Application) -> None:
    paths = ("/api/v1/appointments/1", "/api/v1/appointments/2", "/nothing", "/livez", "/readyz")
    for path in paths:
        get(application, path)
    family = Scrape(application).families["clinic_request_parts_count"]
    rules = {sample.labels["url_rule"] for sample in family.samples}
    assert {"/api/v1/appointments/<int:appointment_id>", "None"} <= rules
    assert not rules & {*paths}
