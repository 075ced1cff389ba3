"""Five quiet minutes: no failed request, nobody gives up waiting, and every booking is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from loadtest.lab.application import Application
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.processes import Workspace
from tests.conftest import ROOT
from tests.drills import record
from tests.server.conftest import Scrape
from tests.sql import query

PATIENTS = 2000


def main() -> None:
    """Run the profile ``steady`` and hold what it left against the database."""
    with PrivateDatabase.running() as server:
        workspace = Workspace("poolsight-steady-")
        application = Application(workspace, server)
        application.prepare(PATIENTS)
        application.start()
        bookings = workspace.directory / "bookings.jsonl"
        status = _load(application, bookings)
        scrape = Scrape(application)
        findings = {
            "exit_status_of_the_load": status,
            "bookings_acknowledged": len(_ids(bookings)),
            "bookings_missing_in_the_database": len(_ids(bookings) - _stored(server)),
            "slots_booked_twice": _booked_twice(server),
            "timeouts": scrape.total("db_client_connection_timeouts_total"),
            "connects": scrape.total("sqlalchemy_pool_connects_total", outcome="ok"),
            "checkouts": scrape.total("db_client_connection_use_time_seconds_count"),
            "in_use_at_rest": scrape.total(
                "db_client_connection_count", db_client_connection_state="used"
            ),
        }
        workspace.close()
    bad = ("exit_status_of_the_load", "bookings_missing_in_the_database", "slots_booked_twice",
           "timeouts", "in_use_at_rest")  # fmt: skip
    passed = bool(findings["bookings_acknowledged"]) and not any(findings[name] for name in bad)
    record("steady", passed, server.name, findings)


def _load(application: Application, bookings: Path) -> int:
    command = [sys.executable, "-m", "loadtest", "steady", "--host", application.url]
    return subprocess.run(
        [*command, "--bookings-file", str(bookings)], cwd=ROOT, env=os.environ, check=False
    ).returncode


def _ids(bookings: Path) -> set[int]:
    return {json.loads(line)["appointment_id"] for line in bookings.read_text().splitlines()}


def _stored(server: PrivateDatabase) -> set[int]:
    return {row[0] for row in query(server, "SELECT id FROM clinic.appointment")}


def _booked_twice(server: PrivateDatabase) -> int:
    twice = (
        "SELECT slot_id FROM clinic.appointment WHERE cancelled_at IS NULL "
        "GROUP BY slot_id HAVING count(*) > 1"
    )
    return len(query(server, twice))


if __name__ == "__main__":
    main()
