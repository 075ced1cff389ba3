"""Where samples come from: metrics endpoints, and a Prometheus."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from loadtest.lab.curves import Curve
from loadtest.lab.ports import free_port
from loadtest.lab.recorder import Recorder
from loadtest.lab.samples import Sample, Scrape, ServerSample, load_sample, pool_sample
from loadtest.lab.series import SERIES
from loadtest.lab.sources import Endpoints, Prometheus
from tests.loadtest.runs import spike
from tests.waiting import eventually

POOL = 'db_client_connection_max{worker="0"} 6\ndb_client_connection_max{worker="1"} 6\n'
LOAD = "locust_users 2\nlocust_arrivals_total 50\nlocust_process_cpu_seconds_total 3\n"


@contextmanager
def serving(answer: Callable[[str, dict[str, str]], str | None]) -> Iterator[str]:
    """A server that answers a path and its query with a text, or with 503."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            text = answer(url.path, {name: one[0] for name, one in parse_qs(url.query).items()})
            self.send_response(503 if text is None else 200)
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_sample_is_what_every_endpoint_says_now() -> None:
    texts = {"/pool": POOL, "/one": LOAD, "/two": LOAD.replace("3", "4")}
    before = time.time()
    with serving(lambda path, _: texts.get(path)) as url:
        source = Endpoints(
            f"{url}/pool", [f"{url}/one", f"{url}/two"], lambda: ServerSample(9, 1, 2)
        )
        sample = source.sample()
        assert source.problem() is None
        texts.clear()
        empty = source.sample()
    assert sample
    assert before <= sample.at <= time.time()
    assert sample.pool
    assert sample.pool.maximum == 12
    assert sample.load
    assert (sample.load.users, sample.load.arrivals) == (4, 100)
    assert sample.load.cpu_seconds == 4, "each process has a processor of its own"
    assert sample.server == ServerSample(9, 1, 2)
    assert empty
    assert (empty.pool, empty.load) == (None, None)


@pytest.mark.parametrize("text", [None, "<html>", "python_info 1\n"])
def test_an_endpoint_without_a_pool_is_a_problem(text: str | None) -> None:
    with serving(lambda *_: text) as url:
        source = Endpoints(url, [])
        assert url in (source.problem() or "")
        sample = source.sample()
        assert sample
        assert sample.pool is None


def test_nobody_there_is_a_problem() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert "does not answer" in (Endpoints(url, []).problem() or "")
    assert "does not answer" in (Prometheus(url).problem() or "")


def test_a_sample_of_prometheus_is_as_old_as_its_scrape_and_told_once() -> None:
    scraped = [1_800_000_000_500]

    def federate(path: str, query: dict[str, str]) -> str:
        assert path == "/federate"
        assert "db_client_" in query["match[]"]
        return (
            f"db_client_connection_max 12 {scraped[0]}\n"
            f"locust_users 1 {scraped[0] - 900}\n"
            f"mysql_global_status_threads_running 3 {scraped[0] - 2000}\n"
        )

    with serving(federate) as url:
        source = Prometheus(f"{url}/")
        assert source.problem() is None
        first = source.sample()
        assert source.sample() is None
        scraped[0] += 5000
        second = source.sample()
    assert first
    assert second
    assert (first.at, second.at) == (1_800_000_000.5, 1_800_000_005.5)
    assert first.pool
    assert first.load
    assert first.server
    assert first.server.running == 3


def test_a_prometheus_that_lost_the_application_is_a_gap() -> None:
    with serving(lambda *_: "locust_users 1 1800000000000\n") as url:
        sample = Prometheus(url).sample()
        assert "does not publish a connection pool" in (Prometheus(url).problem() or "")
    assert sample
    assert (sample.pool, sample.load) == (None, None)


def test_alerts_are_those_that_began_to_fire_in_the_run() -> None:
    began = time.time() - 100

    def query(path: str, asked: dict[str, str]) -> str:
        assert path == "/api/v1/query"
        assert 'alertstate="firing"' in asked["query"]
        if "[" not in asked["query"]:
            assert float(asked["time"]) == pytest.approx(began, abs=0.01)
            return answer(("Old", 0))
        return answer(("PoolWaiters", 30), ("PoolTimeouts", 20), ("PoolWaiters", 25), ("Old", 0))

    def answer(*alerts: tuple[str, float]) -> str:
        result: list[dict[str, Any]] = [
            {"metric": {"alertname": name}, "values": [[began + after, "1"]]}
            for name, after in alerts
        ]
        return json.dumps({"data": {"result": result}})

    with serving(query) as url:
        fired = Prometheus(url).alerts(began)
    assert [alert.name for alert in fired] == ["PoolTimeouts", "PoolWaiters"]
    assert [alert.after for alert in fired] == pytest.approx([20, 25])


def test_a_recording_has_times_since_its_begin_and_survives_gaps() -> None:
    class Source:
        def __init__(self) -> None:
            self.asked = 0

        def sample(self) -> Sample | None:
            self.asked += 1
            return None if self.asked == 1 else Sample(time.time(), None, None)

        def problem(self) -> str | None:
            return None

    with Recorder(Source()) as recorder:
        eventually(lambda: recorder.samples)
    assert 0 <= recorder.samples[0].at <= time.time() - recorder.began


PARTS = """
clinic_request_part_seconds_total{part="sql",url_rule="/a",worker="0"} 2
clinic_request_part_seconds_total{part="sql",url_rule="/a",worker="1"} 1
clinic_request_part_seconds_total{part="pool_wait",url_rule="/a",worker="1"} 4
clinic_request_parts_count_total{url_rule="/a",worker="0"} 10
clinic_request_parts_count_total{url_rule="/a",worker="1"} 20
clinic_request_parts_count_total{url_rule="/b",worker="1"} 5
"""


def test_parts_of_requests_are_summed_over_workers() -> None:
    assert pool_sample(Scrape(PARTS)).parts == {
        "/a": {"sql": 3, "pool_wait": 4, "requests": 30},
        "/b": {"requests": 5},
    }


def test_connects_and_closes_are_told_apart_by_what_came_of_them() -> None:
    sample = pool_sample(
        Scrape(
            'sqlalchemy_pool_connects_total{outcome="ok"} 9\n'
            'sqlalchemy_pool_connects_total{outcome="error"} 2\n'
            'sqlalchemy_pool_closes_total{reason="recycle"} 3\n'
            'sqlalchemy_pool_closes_total{reason="overflow"} 4\n'
            'sqlalchemy_pool_ping_seconds_count{outcome="error"} 1\n'
        )
    )
    assert (sample.connects, sample.connect_failures) == (9, 2)
    assert (sample.closes, sample.recycled, sample.failed_pings) == (7, 3, 1)


def test_a_generators_metrics_are_read() -> None:
    sample = load_sample(
        Scrape(
            "locust_in_flight 3\nlocust_dropped_arrivals_total 2\n"
            'locust_generator_lag_seconds_bucket{le="0.1"} 7\n'
            'locust_generator_lag_seconds_bucket{le="+Inf"} 8\n'
        )
    )
    assert (sample.in_flight, sample.dropped) == (3, 2)
    assert sample.lags == {0.1: 7, float("inf"): 8}


@pytest.mark.parametrize("name", SERIES)
def test_every_series_has_a_value_for_each_sample_and_none_without_data(name: str) -> None:
    curve: Curve = SERIES[name](spike().samples)
    assert len(curve) == 11
    assert all(value is None or value >= 0 for value in curve)
    assert any(value is not None for value in curve)
    assert SERIES[name]([Sample(float(at), None, None) for at in range(3)]) == [None] * 3
    assert SERIES[name]([]) == []


def test_ratios_are_of_what_was_added() -> None:
    samples = spike().samples
    assert SERIES["failed share"](samples)[1:] == pytest.approx([0.01] * 10)
    assert SERIES["mean use"](samples)[1:] == pytest.approx([0.02] * 10)
    assert SERIES["mean sql"](samples)[2:] == pytest.approx([0.05 / 1.5] * 9)
    assert SERIES["requests per arrival"](samples)[1:] == pytest.approx([1] * 10)
    assert SERIES["row lock waits"](samples)[1:] == pytest.approx([2] * 10)
    assert SERIES["busy share"](samples)[4] == 1
