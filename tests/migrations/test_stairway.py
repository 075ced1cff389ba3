"""Every revision with data in the tables: up, down and up again, and the standard tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.script import ScriptDirectory
from pytest_alembic import Config as AlembicConfig
from pytest_alembic.tests import (
    test_model_definitions_match_ddl,
    test_single_head_revision,
    test_up_down_consistency,
    test_upgrade,
)
from sqlalchemy import Engine

from tests.migrations.conftest import Make
from tests.migrations.migrated import ROOT, Migrated

__all__ = [
    "test_model_definitions_match_ddl",
    "test_single_head_revision",
    "test_up_down_consistency",
    "test_upgrade",
]
REVISIONS = [
    script.revision
    for script in reversed(list(ScriptDirectory(str(ROOT / "migrations")).walk_revisions()))
]
SEEDED_SINCE = "0003"  # this release's sample data needs what 0003 made
# What a revision takes with it when it is taken back, and what comes in another form.
LOST = {"0002": {"waitlist"}}
CHANGED = {"patient": ("phone", "phone_e164", "phone_archive"), "appointment": ("telehealth",)}
TABLES = ("clinician", "patient", "slot", "appointment", "idempotency_key")


def filled(schema: Migrated) -> None:
    """Rows of every table there is."""
    schema.sql("INSERT INTO clinician (id, name, specialty) VALUES (1, 'Dr Test', 'Neurology')")
    schema.sql("INSERT INTO patient (id, name, email, born) VALUES (1, 'A', 'a@b.org', '1990-1-1')")
    schema.sql(
        "INSERT INTO slot (id, clinician_id, specialty, starts_at, ends_at, is_free) "
        "VALUES (1, 1, 'Neurology', '2030-1-1 9:00', '2030-1-1 9:30', 0)"
    )
    schema.sql("INSERT INTO appointment (id, slot_id, patient_id, reason) VALUES (1, 1, 1, 'x')")
    schema.sql("INSERT INTO idempotency_key (`key`, request_hash, answer) VALUES ('k', 'h', '{}')")


def rows(schema: Migrated) -> dict[str, str]:
    return {table: schema.rows(table, *CHANGED.get(table, ())) for table in TABLES}


@pytest.mark.parametrize("revision", REVISIONS[1:])
def test_up_down_up_keeps_schema_and_rows(migrated: Make, revision: str) -> None:
    before = REVISIONS[REVISIONS.index(revision) - 1]
    schema = migrated(before)
    if before >= SEEDED_SINCE:
        schema.seed(300)
    else:
        filled(schema)
    definition, kept = schema.definition(), rows(schema)
    schema.upgrade(revision)
    upgraded = schema.definition()
    assert rows(schema) == kept
    schema.downgrade()
    assert (schema.definition(), rows(schema)) == (definition, kept)
    schema.upgrade(revision)
    assert (schema.definition(), rows(schema)) == (upgraded, kept)


def test_down_to_nothing_and_up(migrated: Make) -> None:
    schema = migrated("head", patients=50)
    head = schema.definition()
    schema.downgrade("base")
    assert [name for (name,) in schema.sql("SHOW TABLES") if not name.startswith("schema_")] == [
        "alembic_version"
    ]
    schema.upgrade()
    assert schema.definition() == head


def test_numbers_survive_the_way_up_and_down(migrated: Make) -> None:
    schema = migrated("0003", patients=300)
    schema.sql("UPDATE patient SET phone = 'ask at the desk' WHERE id = 7")
    typed = dict(schema.sql("SELECT id, phone FROM patient"))
    schema.upgrade()
    assert schema.sql("SELECT phone_e164, phone_archive FROM patient WHERE id = 7") == [
        (None, "ask at the desk")
    ]
    schema.sql(
        "UPDATE patient SET phone_e164 = '+4930999', phone_archive = NULL WHERE id = 1"
    )  # as a release that knows no archive
    schema.sql(
        "INSERT INTO patient (id, name, email, born, phone_e164) "
        "VALUES (301, 'New', 'new@example.org', '1990-01-01', '+4930888')"
    )
    schema.downgrade("0003")
    now = dict(schema.sql("SELECT id, phone FROM patient"))
    assert now == typed | {1: "+4930999", 301: "+4930888"}


@pytest.fixture
def schema(migrated: Make) -> Migrated:
    return migrated()


@pytest.fixture
def alembic_config(schema: Migrated) -> Iterator[AlembicConfig]:
    with schema.app.app_context(), schema._config({}) as config:
        yield AlembicConfig(alembic_config=config)


@pytest.fixture
def alembic_engine(schema: Migrated) -> Engine:
    return schema.engine
