"""A backfill of a million rows under load, killed once and resumed: is a row lost, does it hurt?

It runs and pauses by turns, and the requests of one are held against those of the other: what the
machine does meanwhile, and its host, would otherwise be taken for the backfill's doing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import Any

from loadtest.lab.results import percentile
from loadtest.records import Request, requests
from tests.drills import record
from tests.rehearsal.load import HALF, METRICS, sent
from tests.rehearsal.processors import Processors
from tests.stack.stack import GRAFANA_IMAGE, Stack, docker, has_image
from tests.waiting import eventually

PATIENTS = 1_000_000
COMMAND = f"flask schema backfill phone_e164 --metrics {METRICS}"
CONTAINER = "poolsight-backfill-runs"
WARM_UP = 30.0  # seconds until caches are filled
RUNNING, PAUSED = 90.0, 30.0  # seconds of load with it and without, by turns
KILLED = 2  # the turn that ends with a kill
MOST = 1.5  # times the p99 of the load without it
JOB = "SELECT state, position, rows_read, rows_changed FROM schema_backfill"
WRONG = (
    "SELECT COUNT(*) FROM patient WHERE id <= {} AND NOT phone_e164 <=> "
    "CONCAT('+', REGEXP_REPLACE(REGEXP_REPLACE(phone, '[^0-9]', ''), '^0', '49'))"
)

Times = list[tuple[float, float]]  # from and to, seconds since 1970


class Turns:
    """The backfill, which runs for a while, pauses, and goes on."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.running: Times = []
        self.paused: Times = []
        self.killed: list[str] = []

    def run(self) -> None:
        """All of them, until every row is filled in."""
        self.paused.append(_load(PAUSED))
        while self.job()[0] != "finished":
            self._one()
            self.paused.append(_load(PAUSED))

    def job(self) -> list[str]:
        """State, position, rows read and rows changed."""
        return next(iter(self._stack.sql(JOB)), ["none", "0", "0", "0"])

    def _one(self) -> None:
        """Start it, let it run, and have it pause: one turn by a kill."""
        before = self.job()
        command = ("--name", CONTAINER)
        thread = Thread(target=lambda: self._stack.migrate(COMMAND, *command, check=False))
        thread.start()
        eventually(lambda: int(self.job()[1]) > int(before[1]), within=60)
        began = time.time()
        thread.join(RUNNING)
        self.running.append((began, time.time()))
        if len(self.running) == KILLED:
            docker("kill", CONTAINER)
            self.killed = self.job()
        elif self.job()[0] == "running":
            self._stack.migrate(f"{COMMAND} --pause")
        thread.join(60)
        print(self.job(), flush=True)  # noqa: T201


def main() -> None:
    """Fill, kill, go on, and record."""
    stack = Stack("poolsight-backfill", has_image(GRAFANA_IMAGE))
    try:
        stack.build()
        stack.compose("up", "--detach", "--wait", "mysql", timeout=300)
        for command in ("flask db upgrade 0003", f"flask seed --patients {PATIENTS}",
                        "flask db upgrade 0004"):  # fmt: skip
            print(stack.migrate(command).stdout.strip()[-300:], flush=True)  # noqa: T201
        stack.compose("up", "--detach", "--wait", "--no-deps", "app", "nginx", timeout=120)
        turns, processors = Turns(stack), Processors()
        with (
            tempfile.TemporaryDirectory() as name,
            sent(stack.ports["HTTP_PORT"], Path(name), HALF),
            processors,
        ):
            processors.demand_spare(*_load(WARM_UP))
            turns.run()
            found = list(requests(Path(name) / "requests.csv"))
        wrong = int(stack.sql(WRONG.format(PATIENTS))[0][0])
        rows = int(stack.sql("SELECT COUNT(*) FROM patient")[0][0])
        job = {"killed": turns.killed, "finished": turns.job(), "wrong": wrong, "rows": rows}
        version = stack.sql("SELECT VERSION()")[0][0]
    finally:
        docker("rm", "--force", CONTAINER)
        stack.down()
    _conclude(found, turns, job, version, processors)


def _load(seconds: float) -> tuple[float, float]:
    """Let the load alone be there for so long, whose requests are the measure."""
    began = time.time()
    time.sleep(seconds)
    return began, time.time()


def _conclude(
    found: list[Request], turns: Turns, job: dict[str, Any], version: str, processors: Processors
) -> None:
    running, paused = _due(found, turns.running), _due(found, turns.paused)
    ratio = _quantile(running, 0.99) / _quantile(paused, 0.99)
    seconds = sum(end - begin for begin, end in turns.running)
    checks = {
        "finished": job["finished"][0] == "finished",
        "killed before it was finished": 0 < int(job["killed"][1]) < PATIENTS,
        "every row read once": PATIENTS <= int(job["finished"][2]) <= job["rows"],
        "no number is wrong": job["wrong"] == 0,
        "no request failed": all(one.good for one in found),
        f"p99 at most {MOST} times the load's own": ratio <= MOST,
    }
    findings = {
        "checks": checks,
        "p99 ratio": round(ratio, 2),
        "rows per second": round(PATIENTS / seconds),
        "job": job,
        "requests": len(found),
        "failed": sum(not one.good for one in found),
        "while it runs": _figures(running),
        "while it pauses": _figures(paused),
        "turns": [
            {
                "seconds": round(on[1] - on[0], 1),
                "p99 while it runs": _quantile(_due(found, [on]), 0.99),
                "p99 in the pause after": _quantile(_due(found, [off]), 0.99),
                "shares of the processors": processors.shares(*on),
            }
            for on, off in zip(turns.running, turns.paused[1:], strict=True)
        ],
    }
    record("backfill", all(checks.values()), f"MySQL {version}", findings)


def _due(found: Sequence[Request], times: Times) -> list[Request]:
    return [one for one in found if any(begin <= one.due < end for begin, end in times)]


def _figures(some: Sequence[Request]) -> dict[str, float]:
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "longest": 1.0}
    return {"requests": len(some)} | {name: _quantile(some, at) for name, at in shares.items()}


def _quantile(some: Sequence[Request], share: float) -> float:
    return percentile(sorted(one.seconds for one in some), share) or 0.0


if __name__ == "__main__":
    main()
