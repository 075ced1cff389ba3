"""What the metrics tell of migrations and backfills, and what ``flask schema`` prints."""

from __future__ import annotations

from threading import Thread

from prometheus_client import CollectorRegistry

from app.schema_state import SchemaCollector
from loadtest.lab.ports import free_port
from migrations.backfills import BACKFILLS
from migrations.guard import backfill
from tests.migrations.conftest import Make
from tests.migrations.migrated import Migrated
from tests.migrations.test_guard import held
from tests.waiting import eventually


def looked(schema: Migrated) -> CollectorRegistry:
    collector = SchemaCollector(schema.settings)
    collector.look()
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


def test_revision_and_last_migrations_are_told(migrated: Make) -> None:
    registry = looked(migrated("0004"))
    assert registry.get_sample_value("clinic_schema_revision_info", {"revision": "0004"}) == 1
    labels = {"revision": "0004", "direction": "upgrade"}
    took = registry.get_sample_value("clinic_migration_last_duration_seconds", labels)
    began = registry.get_sample_value("clinic_migration_last_started_timestamp_seconds", labels)
    assert took is not None
    assert 0 < took < 30
    assert began is not None
    assert registry.get_sample_value("clinic_migration_started_timestamp_seconds", labels) is None


def test_a_migration_that_runs_is_told(migrated: Make) -> None:
    schema = migrated("0003", patients=20)
    release, thread = held(schema)
    upgrade = Thread(target=schema.upgrade, args=("0004",), kwargs={"lock_tries": 60})
    upgrade.start()
    name, labels = (
        "clinic_migration_started_timestamp_seconds",
        {"revision": "0004", "direction": "upgrade"},
    )
    try:
        eventually(lambda: looked(schema).get_sample_value(name, labels))
    finally:
        release.set()
        thread.join()
        upgrade.join()
    assert looked(schema).get_sample_value(name, labels) is None


def test_backfills_are_told(migrated: Make) -> None:
    schema = migrated("0004", patients=60)
    with schema.migrating() as connection:
        filling = backfill.Filling(connection, BACKFILLS["phone_e164"])
        filling._batch(filling.begin(again=True), 30)
    labels = {"name": "phone_e164"}
    registry = looked(schema)
    assert registry.get_sample_value("clinic_backfill_progress_ratio", labels) == 0.5
    assert registry.get_sample_value("clinic_backfill_running", labels) == 1


def test_what_cannot_be_seen_is_not_told(migrated: Make) -> None:
    schema = migrated("0004")
    collector = SchemaCollector(schema.settings.model_copy(update={"db_port": free_port()}))
    collector.look()
    assert list(collector.collect()) == []
    assert looked(migrated()).get_sample_value("clinic_backfill_running", {"name": "x"}) is None


def test_a_scrape_looks_without_waiting(migrated: Make) -> None:
    collector = SchemaCollector(migrated("0004").settings)
    assert list(collector.collect()) == []
    eventually(lambda: list(collector.collect()))


def test_plan_and_status_are_printed(migrated: Make) -> None:
    schema = migrated("0003", patients=20)
    run = schema.app.test_cli_runner()
    plan = run.invoke(args=["schema", "plan"])
    assert plan.exit_code == 0, plan.output
    assert (
        "ALTER TABLE patient ADD COLUMN phone_e164 VARCHAR(16)\n    INSTANT, ≤ 0.1 s" in plan.output
    )
    assert "needs backfill phone_e164: not begun" in plan.output
    status = run.invoke(args=["schema", "status"])
    assert "Revision: 0003; head: 0005" in status.output
    assert "upgrade 0003: 1 statements" in status.output
    schema.upgrade()
    assert run.invoke(args=["schema", "plan"]).output == "Nothing is pending.\n"


def test_a_revision_of_a_later_release_is_told(migrated: Make) -> None:
    schema = migrated("head")
    schema.add("0006", 'op.create_index("ix_patient_born", "patient", ["born"])')
    schema.upgrade()
    plan = schema.app.test_cli_runner().invoke(args=["schema", "plan"])
    assert plan.exit_code == 1
    assert "at revision 0006, which this release does not know" in plan.output
