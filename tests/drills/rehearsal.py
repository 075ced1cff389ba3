"""A schema change under live traffic, up and back down: does a request fail, is a row lost?

The release of before and this one, real MySQL, and the load of a day throughout: expand, switch
releases, backfill, contract; and all of it back. Writes a report under runs/ and its figures to
docs/results/.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from loadtest.records import Request, requests
from tests.drills import record
from tests.rehearsal.checks import Checks, registered
from tests.rehearsal.load import backfill, sent
from tests.rehearsal.probe import DESK, Probe
from tests.rehearsal.processors import Processors
from tests.rehearsal.report import Phase, write
from tests.rehearsal.steps import Steps
from tests.releases import PREVIOUS, PREVIOUS_SCHEMA, unpack
from tests.stack.stack import GRAFANA_IMAGE, ROOT, Stack, has_image

PATH = f"{PREVIOUS_SCHEMA} to head and back"
PATIENTS = 500_000
QUIETLY, QUIETLY_AGAIN = "no migration", "no migration any more"
CONTROL, CONTROL_AGAIN = "no migration, but a release that starts", "no migration, a release again"
WARM_UP = 30.0  # seconds until caches are filled
QUIET = 60.0  # seconds of load without a migration, before and after
BETWEEN = 15.0  # seconds of load after each step
NOTICED = 5.0  # seconds until nginx has asked again who answers
SHORTEST_LIMIT = 0.3  # seconds
PROBED = range(3001, 3201)
UNPARSEABLE = range(3201, 3211)
STATEMENTS = (
    "SELECT CONCAT(c.direction, ' ', c.revision), s.statement, COALESCE(s.algorithm, ''), s.tries, "
    "ROUND(TIMESTAMPDIFF(MICROSECOND, s.started_at, s.finished_at) / 1e6, 2) "
    "FROM schema_change c JOIN schema_statement s ON s.change_id = c.id "
    "WHERE c.id > {} ORDER BY c.id, s.ordinal"
)


class Rehearsal:
    """The steps, and when each began."""

    def __init__(self, stack: Stack, directory: Path, processors: Processors) -> None:
        self._stack = stack
        self._directory = directory
        self._processors = processors
        self.steps = Steps()

    def prepare(self, patients: int) -> None:
        """The schema of before with sample data, and the release of before in front of it."""
        self._stack.compose("up", "--detach", "--wait", "mysql", timeout=300)
        self.migrate(f"flask db upgrade {PREVIOUS_SCHEMA}")
        self.migrate(f"flask seed --patients {patients}")
        self._stack.sql("ANALYZE TABLE patient, slot, appointment, clinician")
        self._start("app-previous")
        self._stack.compose("up", "--detach", "--wait", "--no-deps", "nginx")

    def run(self) -> None:
        """All steps, while somebody else sends the load."""
        self.steps.load(WARM_UP)
        self._quiet(QUIETLY)
        self._processors.demand_spare(self.steps.began[0][1], time.time())
        self._control(CONTROL)
        self._step("expand: db upgrade 0004", "flask db upgrade 0004")
        self._switch("switch to this release", "app-previous", "app")
        quiet, control = self.steps.began[0][1], self.steps.began[1][1]
        self._step("backfill", backfill(self._directory, quiet, control))
        self._step("contract: db upgrade", "flask db upgrade")
        self._step("back: db downgrade 0004", "flask db downgrade 0004")
        self._switch("back to the release before", "app", "app-previous")
        self._step("back: db downgrade 0003", f"flask db downgrade {PREVIOUS_SCHEMA}")
        self._control(CONTROL_AGAIN)
        self._quiet(QUIETLY_AGAIN)
        self.steps.note("end")

    def migrate(self, command: str) -> None:
        """A command in a container of its own, and the end of what it said."""
        said = self._stack.migrate(command).stdout.strip()
        print(said[-200:], flush=True)  # noqa: T201

    def _control(self, name: str) -> None:
        # The same load on the same schema, and the same containers that start and stop: what that
        # costs this machine must not be taken for the migration's own doing.
        self.steps.note(name)
        self.migrate("flask db current")
        self._start("app")
        self.steps.load(NOTICED)
        self._end("app")
        self.steps.load(BETWEEN)

    def _switch(self, name: str, old: str, new: str) -> None:
        self.steps.note(name)
        self._start(new)
        self.steps.load(NOTICED)
        self._end(old)
        self.steps.load(BETWEEN)

    def _start(self, service: str) -> None:
        command = ("up", "--detach", "--wait", "--no-deps", "--no-build", service)
        self._stack.compose(*command, timeout=300)

    def _end(self, service: str) -> None:
        self._stack.compose("rm", "--stop", "--force", service)

    def _step(self, name: str, command: str) -> None:
        self.steps.note(name)
        self.migrate(command)
        self.steps.load(BETWEEN)

    def _quiet(self, name: str) -> None:
        self.steps.note(name)
        self.steps.load(QUIET)


def main() -> None:
    """Rehearse, report and record."""
    parser = argparse.ArgumentParser(prog="make rehearse")
    parser.add_argument("--patients", type=int, default=PATIENTS)
    patients = parser.parse_args().patients
    stack = Stack("poolsight-rehearsal", has_image(GRAFANA_IMAGE))
    stack.settings = {
        "COMPOSE_FILE": "docker-compose.yml:tests/rehearsal/compose.yml",
        "COMPOSE_PROFILES": "mysql,previous",
        "CLINIC_REPLICAS": "2",  # while one release takes over from the other
    }
    directory = ROOT / "runs" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-rehearsal"
    directory.mkdir(parents=True)
    try:
        _build(stack)
        processors = Processors()
        rehearsal = Rehearsal(stack, directory, processors)
        rehearsal.prepare(patients)
        checks = Checks(stack)
        before = stack.sql("SELECT MAX(id) FROM schema_change")[0][0]
        probe = Probe(stack.ports["HTTP_PORT"], PROBED)
        with sent(stack.ports["HTTP_PORT"], directory), processors, probe:
            for patient in UNPARSEABLE:
                probe.write(patient, DESK, DESK)
            rehearsal.run()
        found = list(requests(directory / "requests.csv"))
        held = checks.compare(probe, directory / "bookings.jsonl", registered(found))
        held |= _kept(stack)
        statements = stack.sql(STATEMENTS.format(before))
        version = stack.sql("SELECT VERSION()")[0][0]
    finally:
        stack.down()
    phases = rehearsal.steps.phases(found)
    spare = {one.name: processors.shares(one.began, one.began + one.seconds) for one in phases}
    _conclude(phases, found, probe, held, statements, version, patients, directory, spare)


def _conclude(
    phases: list[Phase], found: list[Request], probe: Probe, held: dict[str, bool],
    statements: list[list[str]], version: str, patients: int, directory: Path,
    spare: dict[str, dict[str, float]],
) -> None:  # fmt: skip
    without = (QUIETLY, QUIETLY_AGAIN, CONTROL, CONTROL_AGAIN)
    baseline = max(one.longest or 0.0 for one in phases if one.name in without)
    limit = max(SHORTEST_LIMIT, 2 * baseline)
    longest = max(one.longest or 0.0 for one in phases if one.name not in without)
    failed = sum(one.failed for one in phases)
    passed = not failed and not probe.problems and longest < limit and all(held.values())
    result = {
        "path": PATH,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "passed": passed,
        "patients": patients,
        "requests": sum(one.requests for one in phases),
        "failed": failed,
        "longest_seconds": round(longest, 3),
        "baseline_longest_seconds": round(baseline, 3),
        "limit_seconds": round(limit, 3),
        "problems": probe.problems[:20],
        "checks": held,
        "statements": statements,
        "versions": [f"MySQL {version}"],
        "shares of the processors": spare,
    }
    write(directory / "report.html", result, phases, found)
    print(f"Report: {directory / 'report.html'}")  # noqa: T201
    figures = [{**asdict(one), "began": round(one.began - phases[0].began, 1)} for one in phases]
    record("rehearsal", passed, f"MySQL {version}", {**result, "steps": figures})


def _build(stack: Stack) -> None:
    with tempfile.TemporaryDirectory() as directory:
        stack.settings["PREVIOUS_CONTEXT"] = str(unpack(PREVIOUS, Path(directory)))
        stack.build()


def _kept(stack: Stack) -> dict[str, bool]:
    kept = stack.sql(f"SELECT COUNT(*) FROM patient WHERE phone = '{DESK}'")[0][0]
    return {"numbers that cannot be parsed are kept": int(kept) == len(UNPARSEABLE)}


if __name__ == "__main__":
    shutil.which("docker") or sys.exit("Docker is needed: the rehearsal runs the containers.")
    main()
