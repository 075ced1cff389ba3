"""The backfill of telephone numbers: resumable, polite, and never over what somebody wrote."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from click.testing import Result

from migrations.backfills import BACKFILLS, demand
from migrations.guard import GuardError, backfill, pace
from tests.migrations.conftest import Make
from tests.migrations.migrated import ROOT, Migrated
from tests.waiting import eventually

NAME = "phone_e164"
WRONG = "SELECT COUNT(*) FROM patient WHERE NOT phone_e164 <=> REPLACE(phone, ' ', '')"


def command(schema: Migrated, *arguments: str) -> Result:
    return schema.app.test_cli_runner().invoke(args=["schema", *arguments])


def fill(schema: Migrated, *options: str) -> str:
    result = command(schema, "backfill", NAME, *options)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_all_rows_are_filled_once(migrated: Make) -> None:
    schema = migrated("0004", patients=1500)
    schema.sql("UPDATE patient SET phone_e164 = NULL")
    assert "finished, 1,500 rows read" in fill(schema)
    assert schema.sql(WRONG) == [(0,)]
    changed = schema.sql("SELECT rows_changed FROM schema_backfill")
    assert changed == schema.sql("SELECT COUNT(phone) FROM patient")
    assert "finished, 1,500 rows read" in fill(schema), "again changes nothing"
    assert schema.sql("SELECT rows_changed FROM schema_backfill") == changed
    assert ", 0 changed" in fill(schema, "--again")


def test_what_cannot_be_parsed_is_kept_and_reported(migrated: Make) -> None:
    schema = migrated("0004", patients=100)
    schema.sql("UPDATE patient SET phone = 'ask at the desk', phone_e164 = NULL WHERE id = 7")
    schema.sql("UPDATE patient SET phone_e164 = '+4930111' WHERE id = 8 AND phone IS NOT NULL")
    assert "refuse 1" in fill(schema, "--dry-run")
    assert schema.sql("SELECT COUNT(*) FROM schema_backfill") == [(0,)], "a dry run writes nothing"
    assert "1 refused" in fill(schema)
    assert "patient 7: no telephone number" in fill(schema, "--refused")
    assert schema.sql("SELECT phone FROM patient WHERE id = 7") == [("ask at the desk",)]
    schema.upgrade()
    assert schema.sql("SELECT phone_archive FROM patient WHERE id = 7") == [("ask at the desk",)]


def test_a_kill_loses_and_repeats_nothing(migrated: Make, tmp_path: Any) -> None:
    schema = migrated("0004", patients=12_000)
    schema.sql("UPDATE patient SET phone_e164 = NULL")
    arguments = [sys.executable, "-m", "flask", "--app", "app", "schema", "backfill", NAME]
    environment = {**os.environ, "CLINIC_DB_NAME": schema.name}
    for at in (500, 3000):
        running = subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        there = f"SELECT 1 FROM schema_backfill WHERE position >= {at}"
        eventually(partial(schema.sql, there), within=30, every=0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
        with pytest.raises(GuardError, match=f"First: flask schema backfill {NAME}"):
            schema.upgrade()
    eventually(lambda: "finished, 12,000 rows read" in fill(schema))
    assert schema.sql("SELECT rows_read FROM schema_backfill") == [(12_000,)]
    assert schema.sql(WRONG) == [(0,)]
    schema.upgrade()


def test_what_is_written_meanwhile_stays(migrated: Make) -> None:
    schema = migrated("0004", patients=60)
    schema.sql("UPDATE patient SET phone = '030 1234567', phone_e164 = NULL")

    def compute(row: Any) -> backfill.Computed:
        if row[0] == 30:  # somebody else is faster
            schema.sql("UPDATE patient SET phone = '030 7654321', phone_e164 = '+49307654321' "
                       "WHERE id = 31")  # fmt: skip
        return BACKFILLS[NAME].compute(row)

    with schema.migrating() as connection:
        filling = backfill.Filling(connection, replace(BACKFILLS[NAME], compute=compute))
        filling.begin(again=True)
        found = filling.run(pace.Pace(connection, pace.Limits(), ()), lambda *_: None)
    assert (found.read, found.changed) == (60, 59)
    assert schema.sql("SELECT phone_e164 FROM patient WHERE id = 31") == [("+49307654321",)]


def test_what_an_old_release_wrote_after_it_is_mended(migrated: Make) -> None:
    schema = migrated("0004", patients=60)
    fill(schema)
    schema.sql("UPDATE patient SET phone = '030 7654321' WHERE id = 5")  # and not phone_e164
    schema.sql("UPDATE patient SET phone = 'ask at the desk' WHERE id = 6")
    with schema.migrating() as connection:
        demand(connection, NAME)
    assert schema.sql("SELECT phone_e164 FROM patient WHERE id IN (5, 6)") == [
        ("+49307654321",), (None,),
    ]  # fmt: skip


def test_it_can_be_paused(migrated: Make) -> None:
    schema = migrated("0004", patients=60)
    assert "does not run" in command(schema, "backfill", NAME, "--pause").output
    with schema.migrating() as connection:
        filling = backfill.Filling(connection, BACKFILLS[NAME])
        filling.begin(again=True)

        def shown(progress: backfill.Progress, _: str) -> None:
            if progress.state == backfill.RUNNING:
                fill(schema, "--pause")

        paused = filling.run(pace.Pace(connection, pace.Limits(), ()), shown)
    assert (paused.state, paused.position) == (backfill.PAUSED, 50)
    assert "paused" in command(schema, "status").output
    assert "finished" in fill(schema)


def test_two_at_a_time_are_refused(migrated: Make) -> None:
    schema = migrated("0004")
    with schema.migrating() as other:
        other.exec_driver_sql(f"SELECT GET_LOCK('{schema.name}.backfill {NAME}', 0)").all()
        result = command(schema, "backfill", NAME)
    assert result.exit_code == 1
    assert "Another backfill phone_e164 runs" in result.output


def test_before_its_column_it_says_what_to_do(migrated: Make) -> None:
    result = command(migrated("0003"), "backfill", NAME)
    assert result.exit_code == 1
    assert "flask db upgrade 0004" in result.output


class Metrics(BaseHTTPRequestHandler):
    """An application's metrics, as a test wants them."""

    waited = 0
    slow = 0
    total = 0

    def do_GET(self) -> None:
        lines = []
        for name, late in ((pace.WAITS, self.waited), (pace.REQUESTS, self.slow)):
            buckets = {"0.1": self.total - late, "1.0": self.total, "+Inf": self.total}
            lines += [f"# TYPE {name} histogram"]
            lines += [f'{name}_bucket{{le="{le}"}} {n}' for le, n in buckets.items()]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(("\n".join(lines) + "\n").encode())

    def log_message(self, *_: Any) -> None:
        pass


def test_it_goes_slower_while_the_application_suffers(migrated: Make) -> None:
    schema = migrated("0004")
    server = HTTPServer(("127.0.0.1", 0), Metrics)
    Thread(target=server.serve_forever, daemon=True).start()
    pauses: list[float] = []
    with schema.migrating() as connection:
        one = pace.Pace(
            connection,
            pace.Limits(threads_running=1000),
            [f"http://127.0.0.1:{server.server_port}/"],
        )

        def step(**seen: int) -> str:
            for name, value in seen.items():
                setattr(Metrics, name, value)
            one._looked = float("-inf")
            one.after(0.01, pauses.append)
            return one.exceeded

        assert step(total=100) == ""
        assert "5 of 100 checkouts wait up to 1 s" in step(waited=6, total=200)
        assert "5 of 100 checkouts wait up to 1 s" in step(waited=12, total=300)
        assert pauses == pytest.approx([0.01 * pace.FACTOR * times for times in (1, 2, 4)])
        assert "the p99 of requests is 1 s" in step(total=400, slow=5)
        assert step(total=500) == ""
        assert pauses[-1] == pytest.approx(0.01 * pace.FACTOR)
        server.shutdown()
        server.server_close()
        with pytest.raises(GuardError, match="the same command goes on where it was"):
            step()
