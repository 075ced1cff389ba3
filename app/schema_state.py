"""Where the schema is, for the metrics: its revision, migrations, and how far backfills are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock, Thread
from time import monotonic
from typing import Any

import pymysql
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.database import connect_args
from app.settings import Settings
from migrations.backfills import BACKFILLS

EVERY = 15.0  # seconds between two looks, if anybody asks
NO_SUCH_TABLE = 1146

REVISION = "SELECT version_num FROM alembic_version"
CHANGES = (
    "SELECT revision, direction, UNIX_TIMESTAMP(started_at), UNIX_TIMESTAMP(finished_at) "
    "FROM schema_change ORDER BY id DESC LIMIT 10"
)
BACKFILL = (
    "SELECT state, position, (SELECT MAX({key}) FROM {table}) FROM schema_backfill WHERE name = %s"
)

Rows = Sequence[tuple[Any, ...]]


class SchemaCollector(Collector):
    """Answers at once with what was last seen, and looks again in a thread of its own.

    A scrape must not wait for a database that is away. What cannot be seen is not told.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen: list[Metric] = []
        self._looked = float("-inf")
        self._lock = Lock()

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering it does not look."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """What was last seen."""
        with self._lock:
            due = monotonic() - self._looked >= EVERY
            if due:
                self._looked = monotonic()
        if due:
            Thread(target=self.look, name="schema", daemon=True).start()
        yield from self._seen

    def look(self) -> None:
        """Look at the schema, on a connection beside the pool."""
        try:
            with self._connect() as connection, connection.cursor() as cursor:
                self._seen = list(_metrics(cursor))
        except (pymysql.MySQLError, OSError):
            self._seen = []

    def _connect(self) -> Any:
        known = self._settings
        return pymysql.connect(
            host=known.db_host,
            port=known.db_port,
            user=known.db_user,
            password=known.db_password,
            database=known.db_name,
            **connect_args(known),
        )


def _metrics(cursor: Any) -> Iterator[Metric]:
    revision = GaugeMetricFamily(
        "clinic_schema_revision_info", "The schema's revision; always 1.", labels=["revision"]
    )
    for (name,) in _rows(cursor, REVISION):
        revision.add_metric([name], 1)
    yield revision
    yield from _changes(_rows(cursor, CHANGES))
    yield from _backfills(cursor)


def _changes(rows: Rows) -> Iterator[Metric]:
    labels = ["revision", "direction"]
    running = GaugeMetricFamily(
        "clinic_migration_started_timestamp_seconds",
        "When a migration began that has not ended, seconds since 1970.",
        labels=labels,
    )
    begun = GaugeMetricFamily(
        "clinic_migration_last_started_timestamp_seconds",
        "When a migration began that has ended, seconds since 1970.",
        labels=labels,
    )
    took = GaugeMetricFamily(
        "clinic_migration_last_duration_seconds", "How long it took, s.", labels=labels
    )
    told = set()
    for name, direction, started, finished in rows:  # the latest first
        if finished is None:
            running.add_metric([name, direction], float(started))
        elif (name, direction) not in told:
            told.add((name, direction))
            begun.add_metric([name, direction], float(started))
            took.add_metric([name, direction], float(finished - started))
    yield from (running, begun, took)


def _backfills(cursor: Any) -> Iterator[Metric]:
    progress = GaugeMetricFamily(
        "clinic_backfill_progress_ratio", "Share of the keys that are done, 0 to 1.",
        labels=["name"],
    )  # fmt: skip
    running = GaugeMetricFamily(
        "clinic_backfill_running", "1 while it runs, 0 when it is paused or finished.",
        labels=["name"],
    )  # fmt: skip
    for one in BACKFILLS.values():
        query = BACKFILL.format(key=one.key, table=one.table)
        for state, position, last in _rows(cursor, query, one.name):
            done = state == "finished" or not last
            progress.add_metric([one.name], 1.0 if done else min(position / last, 1.0))
            running.add_metric([one.name], float(state == "running"))
    yield from (progress, running)


def _rows(cursor: Any, query: str, *values: str) -> Rows:
    try:
        cursor.execute(query, values)
    except pymysql.ProgrammingError as error:
        if error.args[0] == NO_SUCH_TABLE:
            return []
        raise
    found: Rows = cursor.fetchall()
    return found
