"""What the probes answer, and when."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text

from app.database import db
from app.settings import Settings
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.ports import free_port
from tests.api.problems import assert_problem
from tests.api.variants import variant
from tests.sql import locked, query


def test_live_touches_no_database(app: Flask, client: FlaskClient) -> None:
    checkouts: list[object] = []

    def note(*arguments: object) -> None:
        checkouts.append(arguments)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "checkout", note)
    try:
        assert client.get("/livez").get_json() == {"status": "alive"}
        assert not checkouts
        assert client.get("/readyz").status_code == 200
        assert len(checkouts) == 1
    finally:
        event.remove(engine, "checkout", note)


def test_no_database_at_all(settings: Settings) -> None:
    with variant(settings, db_port=free_port()) as alone:
        client = alone.test_client()
        began = time.monotonic()
        assert client.get("/livez").status_code == 200
        problem = assert_problem(client.get("/readyz"), 503, "database_away")
        assert "does not answer" in problem["detail"]
        assert_problem(client.get("/api/v1/slots"), 503, "database_away")
        assert time.monotonic() - began < 3


def test_a_password_that_is_wrong(settings: Settings) -> None:
    with variant(settings, db_password_file=settings.secret_key_file) as refused:
        problem = assert_problem(refused.test_client().get("/readyz"), 503, "database_away")
        assert "Access denied" in problem["detail"]


def test_a_probe_waits_less_than_a_statement_and_only_it(
    database: PrivateDatabase, settings: Settings
) -> None:
    with variant(settings, pool_size=1, pool_max_overflow=0) as app:
        client = app.test_client()
        assert client.get("/readyz").status_code == 200
        with app.app_context():
            assert db.session.scalar(text("SELECT SLEEP(1.5)")) == 0
        with locked(database, "clinic.alembic_version"):
            began = time.monotonic()
            assert_problem(client.get("/readyz"), 503, "database_away")
            assert time.monotonic() - began < 3


def password_file(database: PrivateDatabase) -> Path:
    return Path(database.environment("admin")["CLINIC_DB_PASSWORD_FILE"])


@pytest.mark.parametrize("table", ["missing", "empty", "behind"])
def test_a_schema_that_is_too_old(
    database: PrivateDatabase, settings: Settings, table: str
) -> None:
    name = f"clinic_{table}"
    query(database, f"CREATE DATABASE {name}")
    if table != "missing":
        query(database, f"CREATE TABLE {name}.alembic_version (version_num VARCHAR(32))")
    if table == "behind":
        query(database, f"INSERT INTO {name}.alembic_version VALUES ('0001')")
    admin = {"db_user": "admin", "db_password_file": password_file(database)}
    with variant(settings, db_name=name, **admin) as behind:
        problem = assert_problem(behind.test_client().get("/readyz"), 503, "migrations_missing")
    assert "flask db upgrade" in problem["detail"]
    query(database, f"DROP DATABASE {name}")


def test_a_schema_of_a_later_release_will_do(database: PrivateDatabase, settings: Settings) -> None:
    query(database, "CREATE DATABASE clinic_ahead")
    query(database, "CREATE TABLE clinic_ahead.alembic_version (version_num VARCHAR(32))")
    query(database, "INSERT INTO clinic_ahead.alembic_version VALUES ('9999')")
    admin = {"db_user": "admin", "db_password_file": password_file(database)}
    with variant(settings, db_name="clinic_ahead", **admin) as ahead:
        answer = ahead.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()["revision"]) == (200, "9999")
    query(database, "DROP DATABASE clinic_ahead")
