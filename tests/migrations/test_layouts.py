"""This release on every layout of the telephone numbers, and while it changes."""

from __future__ import annotations

from itertools import count
from threading import Event, Thread

import pytest
from flask.testing import FlaskClient

from app.clinic.phones import Layout, held
from app.database import db
from tests.migrations.conftest import Make
from tests.migrations.migrated import Migrated

STORED: dict[str, dict[str, str | None]] = {
    "0003": {"phone": "030 1234567"},
    "0004": {"phone": "030 1234567", "phone_e164": "+49301234567"},
    "0005": {"phone_e164": "+49301234567", "phone_archive": "+49301234567"},
}
_numbers = count(1)


def register(client: FlaskClient, phone: str | None) -> int:
    body = {"name": "Ines", "email": f"ines{next(_numbers)}@example.org", "born": "1990-01-01"}
    answer = client.post("/api/v1/patients", json={**body, "phone": phone})
    assert answer.status_code == 201, answer.text
    number: int = answer.get_json()["id"]
    return number


def columns(schema: Migrated, patient: int) -> dict[str, str | None]:
    names = list(STORED[schema.revision() or ""])
    (row,) = schema.sql(f"SELECT {', '.join(names)} FROM patient WHERE id = {patient}")
    return dict(zip(names, row, strict=True))


@pytest.mark.parametrize("revision", STORED)
def test_numbers_are_written_and_read(migrated: Make, revision: str) -> None:
    schema = migrated(revision, patients=20)
    client = schema.app.test_client()
    assert client.get("/readyz").status_code == 200
    patient = register(client, "030 1234567")
    assert columns(schema, patient) == STORED[revision]
    path = f"/api/v1/patients/{patient}"
    assert client.get(path).get_json()["phone"] == "+49301234567"
    assert client.patch(path, json={"phone": None}).get_json()["phone"] is None
    assert set(columns(schema, patient).values()) == {None}
    assert client.patch(path, json={"phone": "030 1234567"}).status_code == 200
    assert columns(schema, patient) == STORED[revision]
    assert client.patch(path, json={"phone": "desk"}).status_code == 422


@pytest.mark.parametrize("revision", STORED)
def test_what_cannot_be_parsed_is_still_read(migrated: Make, revision: str) -> None:
    schema = migrated("0003", patients=20)
    schema.sql("UPDATE patient SET phone = 'ask at the desk' WHERE id = 7")
    schema.upgrade(revision)
    path = "/api/v1/patients/7"
    assert schema.app.test_client().get(path).get_json()["phone"] == "ask at the desk"


def test_a_number_is_there_the_moment_the_archive_is_phone_again(migrated: Make) -> None:
    schema = migrated("0005", patients=20)
    client = schema.app.test_client()
    path = f"/api/v1/patients/{register(client, '030 1234567')}"
    schema.sql("ALTER TABLE patient CHANGE phone_archive phone VARCHAR(32) NULL")
    assert client.get(path).get_json()["phone"] == "+49301234567"


def test_the_layout_stays_until_the_transaction_ends(migrated: Make) -> None:
    schema = migrated("0004", patients=20)
    for to_write in (False, True):
        with schema.app.app_context(), db.engine.connect() as connection:
            assert held(connection, to_write=to_write) is Layout.EXPANDED
            upgrade = Thread(target=schema.upgrade, kwargs={"lock_tries": 60})
            upgrade.start()
            upgrade.join(2)
            assert upgrade.is_alive()
            assert held(connection) is Layout.EXPANDED
            connection.rollback()
            upgrade.join(30)
            assert held(connection) is Layout.CONTRACTED
            connection.rollback()
        schema.downgrade()


def test_no_request_fails_while_the_layout_changes(migrated: Make) -> None:
    schema = migrated("0003", patients=20)
    stop = Event()
    answers: list[int] = []
    numbers: set[str | None] = set()
    first = schema.app.test_client()
    for patient in (1, 2, 3):
        first.patch(f"/api/v1/patients/{patient}", json={"phone": "030 1234567"})

    def ask(patient: int) -> None:
        client, path = schema.app.test_client(), f"/api/v1/patients/{patient}"
        while not stop.is_set():
            answers.append(client.patch(path, json={"phone": "030 1234567"}).status_code)
            read = client.get(path)
            answers.append(read.status_code)
            numbers.add(read.get_json()["phone"])

    threads = [Thread(target=ask, args=(patient,)) for patient in (1, 2, 3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            schema.upgrade("0004")
            schema.upgrade("0005")
            schema.downgrade("0003")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {200}
    assert len(answers) > 50
    assert numbers == {"+49301234567"}
