"""Where reads go, on a MySQL source and its replica: TEST_DATABASE=mysql:9.7."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import create_app
from app.database import db
from app.pool import metrics_directory
from app.replicas import COOKIE
from app.settings import Settings
from tests.api.variants import variant
from tests.conftest import flask
from tests.mysql import IMAGE, MySqlContainer, docker, needs_mysql
from tests.waiting import eventually

MAX_LAG = 1.0
GTIDS = ("--gtid-mode=ON", "--enforce-gtid-consistency=ON")


class Pair:
    """A source and a replica that follows it."""

    def __init__(self, source: MySqlContainer, replica: MySqlContainer) -> None:
        self.source = source
        self.replica = replica

    def follow(self) -> None:
        """Let the replica, which has the same accounts and nothing else, follow from now on."""
        inspect = ("inspect", "--format={{.NetworkSettings.IPAddress}}")
        address = docker(*inspect, self.source.container).strip()
        ((executed,),) = self._at(self.source, "SELECT @@global.gtid_executed")
        self._at(
            self.replica,
            "RESET BINARY LOGS AND GTIDS",
            f"SET GLOBAL gtid_purged = '{executed}'",
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{address}', SOURCE_SSL = 1, "
            f"SOURCE_USER = 'admin', SOURCE_PASSWORD = '{self.source.password('admin')}', "
            "SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1",
            "START REPLICA",
            "SET PERSIST super_read_only = ON",
        )

    def caught_up(self) -> bool:
        """Whether the replica has all that the source has executed by now."""
        ((executed,),) = self._at(self.source, "SELECT @@global.gtid_executed")
        ((has,),) = self._at(
            self.replica, f"SELECT GTID_SUBSET('{executed}', @@global.gtid_executed)"
        )
        return bool(has)

    @contextmanager
    def lagging(self) -> Iterator[None]:
        """Meanwhile the replica applies nothing."""
        self._at(self.replica, "STOP REPLICA SQL_THREAD")
        try:
            yield
        finally:
            self._at(self.replica, "START REPLICA SQL_THREAD")

    def _at(self, server: MySqlContainer, *statements: str) -> Any:
        with server.connect("admin") as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Both servers, with an up-to-date schema and sample data."""
    image = os.environ[IMAGE]
    with (
        MySqlContainer.running(image, "--server-id=1", *GTIDS) as source,
        MySqlContainer.running(image, "--server-id=2", *GTIDS, like=source) as replica,
    ):
        found = Pair(source, replica)
        found.follow()
        flask(source, "db", "upgrade")  # type: ignore[arg-type]
        flask(source, "seed", "--patients", "200")  # type: ignore[arg-type]
        eventually(found.caught_up, within=60)
        yield found


@pytest.fixture
def replicated(pair: Pair, settings: Settings) -> Iterator[Flask]:
    """The application on both servers."""
    eventually(pair.caught_up, within=30)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in pair.source.environment("app").items():
            patch.setenv(name, value)
        patch.setenv("CLINIC_DB_REPLICA_HOST", pair.replica.host)
        patch.setenv("CLINIC_DB_REPLICA_PORT", str(pair.replica.port))
        patch.setenv("CLINIC_DB_REPLICA_MAX_LAG", str(MAX_LAG))
        made = create_app()
    yield made
    with made.app_context():
        for engine in db.engines.values():
            engine.dispose()


class Reads:
    """The reads by target and reason since this was made."""

    def __init__(self) -> None:
        self._before = _reads()

    def since(self) -> dict[tuple[str, str], float]:
        now = {key: value - self._before.get(key, 0) for key, value in _reads().items()}
        return {key: value for key, value in now.items() if value}


def _reads() -> dict[tuple[str, str], float]:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(metrics_directory()))  # type: ignore[no-untyped-call]
    return {
        (sample.labels["target"], sample.labels["reason"]): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "clinic_reads_total"
    }


def slots(client: FlaskClient) -> list[int]:
    """The free slots that *client* is told of."""
    starting = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = client.get("/api/v1/slots", query_string={"limit": 50, "starting": starting})
    assert answer.status_code == 200, answer.text
    return [slot["id"] for slot in answer.json["items"]]  # type: ignore[index]


def book(client: FlaskClient) -> int:
    """Book the first free slot; its id."""
    slot = slots(client)[0]
    answer = client.post("/api/v1/appointments", json={"slot_id": slot, "patient_id": 1})
    assert answer.status_code == 201, answer.text
    return slot


def goes_to(client: FlaskClient, target: str, reason: str) -> Callable[[], bool]:
    """Whether a read of *client* is answered by *target* now, for that reason alone."""

    def probe() -> bool:
        reads = Reads()
        slots(client)
        return reads.since() == {(target, reason): 1.0}

    return probe


def newcomer(app: Flask) -> FlaskClient:
    """A client that has changed nothing."""
    return app.test_client()


@pytest.mark.mysql
@needs_mysql
def test_replica_that_follows_is_read(replicated: Flask) -> None:
    client = newcomer(replicated)
    assert eventually(goes_to(client, "replica", "fresh"), within=5)
    assert client.get("/slots").status_code == 200
    assert client.get("/api/v1/reports/utilisation").status_code == 200


@pytest.mark.mysql
@needs_mysql
def test_nobody_reads_what_they_changed_from_a_replica_that_may_lack_it(
    replicated: Flask, pair: Pair
) -> None:
    writer, other = newcomer(replicated), newcomer(replicated)
    assert eventually(goes_to(other, "replica", "fresh"), within=5)
    with pair.lagging():
        taken = book(writer)
        assert goes_to(writer, "source", "wrote")()
        assert taken not in slots(writer)
        # For others it may be there for as long as data may be old, and no longer.
        assert eventually(goes_to(other, "source", "stale"), within=MAX_LAG + 5)
        assert taken not in slots(other)
    assert eventually(goes_to(other, "replica", "fresh"), within=10)
    assert taken not in slots(other)


@pytest.mark.mysql
@needs_mysql
def test_cookie_lasts_longer_than_data_may_be_old(replicated: Flask) -> None:
    client = newcomer(replicated)
    client.post("/api/v1/appointments", json={"slot_id": 0, "patient_id": 1})
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    assert cookie.max_age is not None
    assert cookie.max_age > MAX_LAG
    assert cookie.http_only


@pytest.mark.mysql
@needs_mysql
def test_source_answers_while_the_replica_is_away(replicated: Flask, pair: Pair) -> None:
    client = newcomer(replicated)
    assert eventually(goes_to(client, "replica", "fresh"), within=5)
    docker("kill", pair.replica.container)
    reads = Reads()
    for _ in range(20):
        slots(client)
    assert reads.since() == {("source", "away"): 20.0}
    docker("start", pair.replica.container)
    assert eventually(goes_to(client, "replica", "fresh"), within=60)


@pytest.mark.mysql
@needs_mysql
def test_source_answers_those_who_queue_for_a_replica_that_hangs(
    replicated: Flask, pair: Pair
) -> None:
    assert eventually(goes_to(newcomer(replicated), "replica", "fresh"), within=5)
    many = 3 * replicated.extensions["settings"].pool_size
    reads = Reads()
    docker("pause", pair.replica.container)
    try:
        with ThreadPoolExecutor(many) as pool:
            list(pool.map(slots, [newcomer(replicated) for _ in range(many)]))
    finally:
        docker("unpause", pair.replica.container)
    assert reads.since() == {("source", "away"): float(many)}
    assert eventually(goes_to(newcomer(replicated), "replica", "fresh"), within=60)


@pytest.mark.mysql
@needs_mysql
def test_statement_that_takes_too_long_is_not_tried_again_at_the_source(replicated: Flask) -> None:
    client = newcomer(replicated)
    assert eventually(goes_to(client, "replica", "fresh"), within=5)
    reads = Reads()
    with replicated.test_request_context("/"), pytest.raises(DBAPIError, match="maximum statement"):
        replicated.extensions["replicas"].read(_endless)
    assert reads.since() == {}


def _endless(session: Session) -> None:
    session.execute(text("SET SESSION max_execution_time = 100"))
    session.execute(text("SELECT COUNT(*) FROM slot a, slot b, slot c WHERE a.id + b.id > c.id"))


def test_server_without_gtids_is_never_read_as_a_replica(settings: Settings) -> None:
    server = {"db_replica_host": settings.db_host, "db_replica_port": settings.db_port}
    with variant(settings, **server) as app:
        reads = Reads()
        assert slots(newcomer(app))
        assert {target for target, _ in reads.since()} == {"source"}


def test_without_a_replica_nothing_is_counted_and_no_cookie_set(client: FlaskClient) -> None:
    reads = Reads()
    slots(client)
    assert reads.since() == {}
    client.post("/api/v1/appointments", json={"slot_id": 0, "patient_id": 1})
    assert client.get_cookie(COOKIE) is None
