"""What the guard refuses, what it waits for, and what it remembers."""

from __future__ import annotations

import re
import threading
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from migrations.guard import GuardError
from tests.migrations.conftest import Make
from tests.migrations.migrated import Migrated
from tests.waiting import eventually

UNSAFE = {
    "varchar over the length byte": (
        'op.alter_column("patient", "phone_archive", type_=sa.String(500), '
        "existing_type=sa.String(32), existing_nullable=True)",
        "Add a new column beside it",
    ),
    "int to bigint": (
        'op.alter_column("slot", "is_free", type_=sa.BigInteger(), '
        'existing_type=sa.Boolean(), existing_nullable=False, existing_server_default="1")',
        "Add a new column beside it",
    ),
    "check": (
        'op.create_check_constraint("ck_patient_email", "patient", "email LIKE \'%@%\'")',
        "NOT ENFORCED",
    ),
    "a copy on purpose": (
        'op.execute("ALTER TABLE patient ADD y INT, ALGORITHM=COPY")',
        "expand first",
    ),
}
BREAKING = {
    "drop column": 'op.drop_column("patient", "born")',
    "drop table": 'op.drop_table("waitlist")',
    "rename column": 'op.alter_column("patient", "born", new_column_name="birth", '
    "existing_type=sa.Date(), existing_nullable=False)",
    "rename table": 'op.rename_table("waitlist", "waiting")',
    "not null without default": 'op.add_column("patient", sa.Column("x", sa.Integer(), '
    "nullable=False))",
    "null to not null": 'op.alter_column("patient", "phone_archive", nullable=False, '
    "existing_type=sa.String(32))",
    "raw sql": 'op.execute("ALTER TABLE patient DROP born")',
}
SAFE = {
    "nullable column": 'op.add_column("patient", sa.Column("x", sa.Integer()))',
    "default": 'op.add_column("patient", sa.Column("x", sa.Integer(), '
    'nullable=False, server_default="0"))',
    "index": 'op.create_index("ix_patient_born", "patient", ["born"])',
    "drop index": 'op.drop_index("ix_waitlist_specialty_id", "waitlist")',
    "unique": 'op.create_unique_constraint("uq_patient_x", "patient", ["born", "id"])',
    "longer, same length byte": 'op.alter_column("patient", "name", type_=sa.String(200), '
    "existing_type=sa.String(120), existing_nullable=False)",
    "table": 'op.create_table("x", sa.Column("id", sa.Integer(), primary_key=True))',
    "its own algorithm": 'op.execute("ALTER TABLE patient ADD x INT, ALGORITHM=INSTANT")',
    "percent": "op.execute(\"ALTER TABLE patient COMMENT '100 %'\")",
}


@pytest.mark.parametrize("name", UNSAFE)
def test_what_would_copy_a_table_is_refused_before_anything(migrated: Make, name: str) -> None:
    schema = migrated("head", patients=20)
    before = schema.definition()
    code, way = UNSAFE[name]
    schema.add("0006", f'op.add_column("patient", sa.Column("x", sa.Integer()))\n{code}')
    with pytest.raises(GuardError, match="Refused, before anything was changed") as refused:
        schema.upgrade()
    assert way in str(refused.value)
    assert "copy the table" in str(refused.value)
    assert (schema.definition(), schema.revision()) == (before, "0005")


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_a_running_release_waits_for_the_contract(migrated: Make, name: str) -> None:
    schema = migrated("head")
    before = schema.definition()
    schema.add("0006", BREAKING[name])
    with pytest.raises(GuardError, match=r"in its variable `contract`"):
        schema.upgrade()
    assert schema.definition() == before
    schema.add("0006", BREAKING[name], more='contract = "nobody uses it any more"')
    schema.upgrade()
    assert schema.revision() == "0006"


@pytest.mark.parametrize("name", SAFE)
def test_what_is_safe_passes(migrated: Make, name: str) -> None:
    schema = migrated("head")
    schema.add("0006", SAFE[name])
    schema.upgrade()
    assert schema.revision() == "0006"


def test_an_assurance_lets_it_pass_and_is_kept(migrated: Make) -> None:
    schema = migrated("head")
    code, _ = UNSAFE["check"]
    schema.add("0006", f'with guard.assured("200 rows, at night"):\n    {code}')
    schema.upgrade()
    kept = schema.sql("SELECT reason FROM schema_statement ORDER BY change_id DESC LIMIT 1")
    assert kept == [("200 rows, at night",)]


def test_data_of_a_large_table_is_changed_in_batches(migrated: Make) -> None:
    schema = migrated("head", patients=11_000)
    schema.sql("ANALYZE TABLE patient")
    change = "UPDATE patient SET name = CONCAT(name, '!') WHERE name NOT LIKE '%!'"
    schema.add("0006", f'op.execute("{change}")')
    with pytest.raises(GuardError, match=r"rows in one transaction(.|\n)*guard\.in_batches"):
        schema.upgrade()
    schema.add("0006", f'guard.in_batches("{change} AND id BETWEEN :first AND :last", "patient")')
    schema.upgrade()
    assert schema.sql("SELECT COUNT(*) FROM patient WHERE name LIKE '%!'") == [(11_000,)]


def test_a_few_rows_more_in_a_large_table_are_no_matter(migrated: Make) -> None:
    schema = migrated("head", patients=11_000)
    schema.sql("ANALYZE TABLE patient")
    schema.add(
        "0006",
        'patient = sa.table("patient", *map(sa.column, ("name", "email", "born")))\n'
        'op.bulk_insert(patient, [{"name": "A", "email": "a@b.org", "born": "1990-01-01"}])',
    )
    schema.upgrade()
    assert schema.sql("SELECT COUNT(*) FROM patient") == [(11_001,)]


TWO = 'op.add_column("patient", sa.Column("x", sa.Integer()))\n' \
    'op.create_unique_constraint("uq_patient_name", "patient", ["name"])'  # fmt: skip


def test_what_failed_half_way_converges(migrated: Make) -> None:
    schema = migrated("head", patients=100)
    schema.add("0006", TWO)
    with pytest.raises(DBAPIError, match="Duplicate entry"):
        schema.upgrade()
    assert schema.revision() == "0005"
    with pytest.raises(GuardError, match="upgrade 0006 is half applied"):
        schema.downgrade()
    schema.sql("UPDATE patient SET name = CONCAT(name, id)")
    schema.upgrade()
    assert schema.revision() == "0006"
    fresh = migrated()
    fresh.add("0006", TWO)
    fresh.upgrade()
    assert fresh.definition() == schema.definition()


def test_a_revision_that_was_begun_is_not_edited(migrated: Make) -> None:
    schema = migrated("head", patients=100)
    schema.add("0006", TWO)
    with pytest.raises(DBAPIError):
        schema.upgrade()
    assert (
        len(schema.sql("SELECT 1 FROM schema_statement WHERE statement LIKE '%uq_patient_name%'"))
        == 0
    )
    schema.add("0006", TWO.replace('"x"', '"y"'))
    with pytest.raises(GuardError, match="Statement 1 of this revision was begun as"):
        schema.upgrade()
    schema.stamp("0006")
    schema.downgrade()
    assert schema.revision() == "0005", "a person has said where the schema is"


def test_what_failed_at_its_first_statement_is_not_begun(migrated: Make) -> None:
    schema = migrated("head", patients=100)
    schema.add("0006", TWO.splitlines()[1])
    with pytest.raises(DBAPIError, match="Duplicate entry"):
        schema.upgrade()
    schema.downgrade()
    assert schema.revision() == "0004"


def test_one_runner_at_a_time(migrated: Make) -> None:
    schema = migrated("head")
    with schema.migrating() as other:
        other.scalar(text(f"SELECT GET_LOCK('{schema.name}.migration', 0)"))
        number = other.scalar(text("SELECT CONNECTION_ID()"))
        with pytest.raises(GuardError, match="Another migration runs") as refused:
            schema.downgrade(runner_wait=1)
    assert f"(connection {number}: admin from " in str(refused.value)
    schema.downgrade()


@pytest.mark.parametrize("given", [{"patience": 3}, {"lock_wait": 0}])
def test_limits_that_are_none_are_told(migrated: Make, given: dict[str, int]) -> None:
    with pytest.raises(GuardError, match="expected one of runner-wait, lock-wait, lock-tries"):
        migrated().upgrade("head", **given)


def held(schema: Migrated) -> tuple[threading.Event, threading.Thread]:
    """Have an idle transaction hold the metadata lock of patient."""
    begun, release = threading.Event(), threading.Event()

    def hold() -> None:
        with schema.migrating() as connection:
            connection.execute(text("SELECT COUNT(*) FROM patient"))
            begun.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(10)
    return release, thread


def test_behind_an_idle_transaction_it_gives_up_and_says_who(migrated: Make) -> None:
    schema = migrated("0003", patients=20)
    before = schema.definition()
    release, thread = held(schema)
    longest = [0.0]
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            began = time.monotonic()
            schema.sql("SELECT name FROM patient WHERE id = 1")
            longest[0] = max(longest[0], time.monotonic() - began)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with pytest.raises(GuardError, match="was not to be had in 3 attempts") as gave_up:
            schema.upgrade("0004", lock_wait=1, lock_tries=3)
    finally:
        done.set()
        reader.join()
        release.set()
        thread.join()
    assert longest[0] < 1.5, "reads wait no longer than one attempt"
    assert re.search(r"connection \d+ of admin@", str(gave_up.value))
    if "MariaDB" not in schema.sql("SELECT VERSION()")[0][0]:
        assert "SELECT COUNT(*) FROM patient" in str(gave_up.value)
    assert (schema.definition(), schema.revision()) == (before, "0003")
    schema.upgrade("0004")
    assert schema.revision() == "0004"


def test_it_goes_on_when_the_transaction_ends(migrated: Make) -> None:
    schema = migrated("0003", patients=20)
    release, thread = held(schema)
    upgrade = threading.Thread(target=schema.upgrade, args=("0004",), kwargs={"lock_tries": 60})
    upgrade.start()
    try:
        eventually(lambda: schema.sql("SELECT 1 FROM schema_statement WHERE finished_at IS NULL"))
    finally:
        release.set()
        thread.join()
        upgrade.join(30)
    assert schema.revision() == "0004"
