"""Which run of a profile is photographed, and what is said when there is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote_plus

import pytest

from loadtest.lab.ports import free_port
from monitoring.screenshots import (
    AFTER,
    BEFORE,
    BROWSERS,
    OCCASIONS,
    NotShownError,
    last_time,
    main,
    photographs,
)

SPIKE = OCCASIONS[0]

Grafana = Callable[[list[float]], str]


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    """Start what says to everything, as Grafana does to a query, when a spike was scraped."""
    running: list[ThreadingHTTPServer] = []

    def start(times: list[float]) -> str:
        series = [{"metric": {}, "values": [[0, str(moment)] for moment in times]}]
        body = json.dumps({"data": {"result": series if times else []}}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if "query" in self.path:
                    assert 'locust_profile_info{profile="spike"}' in unquote_plus(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in running:
        with closing(server.socket):
            server.shutdown()


def test_last_of_several_runs_is_photographed_with_what_is_around_it(grafana: Grafana) -> None:
    first = [1000.0 + 5 * scrape for scrape in range(6)]
    second = [2000.0 + 5 * scrape for scrape in range(9)]
    assert last_time(grafana([*second, *first]), SPIKE) == (2000 - BEFORE, 2040 + AFTER)


def test_no_run_at_all(
    grafana: Grafana, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("monitoring.screenshots.OCCASIONS", OCCASIONS[:1])
    with pytest.raises(SystemExit):
        main(grafana([]))
    assert "docker compose run --rm loadtest spike" in capsys.readouterr().out


def test_no_grafana() -> None:
    with pytest.raises(NotShownError, match="No Grafana"):
        last_time(f"http://127.0.0.1:{free_port()}", SPIKE)


@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no browser is installed")
def test_what_is_no_dashboard_is_not_photographed(
    grafana: Grafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.screenshots.SHOWN_WITHIN", 500)
    with pytest.raises(NotShownError, match="'load' did not come"):
        next(photographs(grafana([]), SPIKE, 0, 60))
