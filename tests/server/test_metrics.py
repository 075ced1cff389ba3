"""The metrics port: all workers in every answer, whatever the request threads do."""

from __future__ import annotations

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic

import pytest

from loadtest.lab.application import Application
from loadtest.lab.database import PrivateDatabase
from tests.server.conftest import OVERFLOW, SETTINGS, SIZE, THREADS, WORKERS, Scrape
from tests.sql import query
from tests.waiting import eventually

COUNT = "db_client_connection_count"
PENDING = "db_client_connection_pending_requests"
LIMIT = WORKERS * (SIZE + OVERFLOW)


def get(application: Application, path: str) -> int:
    try:
        with urllib.request.urlopen(application.url + path, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@contextmanager
def every_thread_busy(application: Application, seconds: float) -> Iterator[None]:
    """Hold connections until no thread is free, in any worker."""
    with ThreadPoolExecutor(WORKERS * THREADS) as pool:
        path = f"/lab/hold?seconds={seconds}"
        held = [pool.submit(get, application, path) for _ in range(WORKERS * THREADS)]
        yield
        for one in held:
            one.result()


def test_every_worker_is_in_every_answer(application: Application) -> None:
    every = [SIZE + OVERFLOW] * WORKERS
    eventually(lambda: Scrape(application).values("db_client_connection_max") == every)
    for _ in range(10):
        assert Scrape(application).values("db_client_connection_max") == every


def test_the_machine_of_a_fleet_is_told_once(application: Application) -> None:
    assert Scrape(application).values("clinic_node_info", node="node1") == [1]


def test_requests_are_grouped_by_rule(application: Application) -> None:
    for path in ("/api/v1/appointments/1", "/api/v1/appointments/2", "/nothing", "/nowhere"):
        get(application, path)
    duration = "flask_http_request_duration_seconds_count"
    scrape = Scrape(application)
    rule = "/api/v1/appointments/<int:appointment_id>"
    assert len(scrape.values(duration, url_rule=rule)) == 1
    assert len(scrape.values(duration, status="404", url_rule="None")) == 1


def test_answers_while_every_thread_waits(
    application: Application, database: PrivateDatabase
) -> None:
    with every_thread_busy(application, 1.0):
        eventually(lambda: Scrape(application).total(PENDING) > 0)
        eventually(lambda: Scrape(application).total("sqlalchemy_pool_overflow") > 0)
        began = monotonic()
        assert Scrape(application).total(COUNT) <= LIMIT
        assert monotonic() - began < 1
        eventually(lambda: Scrape(application).total(COUNT) == processlist(database))
    scrape = Scrape(application)
    assert scrape.total(PENDING) == 0
    assert scrape.total("sqlalchemy_pool_overflow") == 0
    assert scrape.total(COUNT, db_client_connection_state="used") == 0
    assert scrape.total(COUNT) == processlist(database)


def test_application_is_blind_meanwhile(database: PrivateDatabase) -> None:
    """What is answered by the application's own threads, as metrics often are, is not, now."""
    alone = Application.running(database, **{**SETTINGS, "CLINIC_WORKERS": "1"})
    with alone as application, every_thread_busy(application, 1.0):
        eventually(lambda: busy_threads(application) == THREADS)
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(application.url + "/livez", timeout=0.2)
        assert busy_threads(application) == THREADS


def test_killed_worker_is_replaced_and_its_counters_stay(application: Application) -> None:
    eventually(lambda: get(application, "/readyz") == 200)
    connects = Scrape(application).total("sqlalchemy_pool_connects_total", outcome="ok")
    killed = workers(application)[0]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: killed not in workers(application))
    eventually(lambda: len(workers(application)) == WORKERS and get(application, "/readyz") == 200)
    eventually(lambda: len(Scrape(application).values("sqlalchemy_pool_size")) == WORKERS)
    scrape = Scrape(application)
    assert scrape.total("sqlalchemy_pool_connects_total", outcome="ok") >= connects
    assert scrape.total(COUNT, db_client_connection_state="used") == 0
    assert {s.labels["worker"] for s in scrape.families[COUNT].samples} == {"0", "1"}


def busy_threads(application: Application) -> float:
    scrape = Scrape(application)
    return scrape.total(COUNT, db_client_connection_state="used") + scrape.total(PENDING)


def workers(application: Application) -> list[int]:
    with open(f"/proc/{application.pid}/task/{application.pid}/children") as children:
        return [int(pid) for pid in children.read().split()]


def processlist(database: PrivateDatabase) -> int:
    """How many connections the server has for the application's account."""
    ((count,),) = query(
        database, "SELECT count(*) FROM information_schema.processlist WHERE user = 'app'"
    )
    return int(count)
