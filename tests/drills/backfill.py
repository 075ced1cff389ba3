"""A backfill of a million rows under load, killed once and resumed: is a row lost, does it hurt?"""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

from loadtest.records import Request, requests
from tests.drills import record
from tests.rehearsal.load import backfill, sent
from tests.rehearsal.processors import Processors
from tests.rehearsal.report import Phase
from tests.stack.stack import GRAFANA_IMAGE, Stack, docker, has_image
from tests.waiting import eventually

PATIENTS = 1_000_000
WARM_UP = 30.0  # seconds until caches are filled
QUIET = 60.0  # seconds of load without it, before and after
MOST = 1.5  # times the p99 of the load without it
JOB = "SELECT state, position, rows_read, rows_changed FROM schema_backfill"
REACHED = "SELECT COALESCE(MAX(position), 0) FROM schema_backfill"  # before it begins: no row
KILLED_AT = 300_000  # the key
WRONG = (
    "SELECT COUNT(*) FROM patient WHERE id <= {} AND NOT phone_e164 <=> "
    "CONCAT('+', REGEXP_REPLACE(REGEXP_REPLACE(phone, '[^0-9]', ''), '^0', '49'))"
)
CONTAINER = "poolsight-backfill-killed"


def main() -> None:
    """Fill, kill, go on, and record."""
    stack = Stack("poolsight-backfill", has_image(GRAFANA_IMAGE))
    marks: list[float] = []
    try:
        stack.build()
        stack.compose("up", "--detach", "--wait", "mysql", timeout=300)
        for command in ("flask db upgrade 0003", f"flask seed --patients {PATIENTS}",
                        "flask db upgrade 0004"):  # fmt: skip
            _run(stack, command)
        stack.compose("up", "--detach", "--wait", "--no-deps", "app", "nginx", timeout=120)
        processors = Processors()
        with tempfile.TemporaryDirectory() as directory, sent(stack, Path(directory)), processors:
            time.sleep(WARM_UP)
            marks.append(time.time())
            time.sleep(QUIET)  # for the load alone, whose p99 is the measure
            marks.append(time.time())
            processors.demand_spare(*marks)
            command = backfill(Path(directory), *marks)
            first = _killed(stack, command)
            _run(stack, command)
            marks.append(time.time())
            finished = stack.sql(JOB)[0]
            time.sleep(QUIET)
            marks.append(time.time())
            found = list(requests(Path(directory) / "requests.csv"))
        wrong = int(stack.sql(WRONG.format(PATIENTS))[0][0])
        rows = int(stack.sql("SELECT COUNT(*) FROM patient")[0][0])
        version = stack.sql("SELECT VERSION()")[0][0]
    finally:
        docker("rm", "--force", CONTAINER)
        stack.down()
    job = {"killed": first, "finished": finished, "wrong": wrong, "rows": rows}
    spare = [processors.shares(begin, end) for begin, end in pairwise(marks)]
    _conclude(found, marks, job, version, spare)


def _conclude(
    found: list[Request], marks: list[float], job: dict[str, Any], version: str,
    spare: list[dict[str, float]],
) -> None:  # fmt: skip
    names = ("without, before", "backfill", "without, after")
    phases = [
        Phase.of(name, begin, end, found)
        for name, begin, end in zip(names, marks, marks[1:], strict=False)
    ]
    quiet = [one for one in found if one.due < marks[1] or one.due >= marks[2]]
    baseline = Phase.of("without", marks[0], marks[3], quiet).p99 or 0.0
    ratio = (phases[1].p99 or 0.0) / baseline
    checks = {
        "finished": job["finished"][0] == "finished",
        "every row read once": PATIENTS <= int(job["finished"][2]) <= job["rows"],
        "no number is wrong": job["wrong"] == 0,
        "no request failed": not any(one.failed for one in phases),
        f"p99 at most {MOST} times the load's own": ratio <= MOST,
    }
    findings = {
        "checks": checks,
        "p99 ratio": round(ratio, 2),
        "p99 without": baseline,
        "rows per second": round(PATIENTS / phases[1].seconds),
        "job": job,
        "shares of the processors": spare,
        "phases": [
            {"name": one.name, "seconds": round(one.seconds, 1), "requests": one.requests,
             "failed": one.failed, "p50": one.p50, "p99": one.p99, "longest": one.longest}
            for one in phases
        ],
    }  # fmt: skip
    record("backfill", all(checks.values()), f"MySQL {version}", findings)


def _killed(stack: Stack, command: str) -> list[str]:
    thread = Thread(target=lambda: stack.migrate(command, "--name", CONTAINER, check=False))
    thread.start()
    eventually(lambda: int(stack.sql(REACHED)[0][0]) > KILLED_AT, within=1200, every=1.0)
    docker("kill", CONTAINER)
    thread.join(60)
    return stack.sql(JOB)[0]


def _run(stack: Stack, command: str) -> None:
    print(stack.migrate(command).stdout.strip()[-300:], flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
