"""The load of a rehearsal, for as long as it takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.metrics import LATENCY_BUCKETS
from loadtest.records import requests
from tests.rehearsal.report import Phase
from tests.stack.stack import ROOT
from tests.waiting import eventually

WHOLE, HALF = "tests/rehearsal/traffic.toml", "tests/rehearsal/half.toml"
METRICS = "http://app:9200/metrics"
ALLOWED = 1.25  # times the p99 of the load alone: what a backfill is told to stay below


def backfill(directory: Path, began: float, ended: float) -> str:
    """The backfill's command: it goes slower where requests do worse than in that time of load."""
    usual = Phase.of("usual", began, ended, list(requests(directory / "requests.csv"))).p99 or 0.0
    limit = next((bound for bound in LATENCY_BUCKETS if bound >= ALLOWED * usual), usual)
    return f"flask schema backfill phone_e164 --metrics {METRICS} --p99 {limit}"


@contextmanager
def sent(port: int, directory: Path, traffic: str = WHOLE) -> Iterator[None]:
    """Send *traffic* to *port* here meanwhile; write its requests and bookings to *directory*."""
    log = (directory / "load.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "loadtest", "load", traffic, "--host",
         f"http://127.0.0.1:{port}"],
        cwd=ROOT,
        env={
            **os.environ,
            "LOADTEST_REQUESTS_FILE": str(directory / "requests.csv"),
            "LOADTEST_BOOKINGS_FILE": str(directory / "bookings.jsonl"),
        },
        stdout=log,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        eventually(lambda: len(list(requests(directory / "requests.csv"))) > 100, within=60)
        yield
        assert process.poll() is None, (directory / "load.log").read_text()[-2000:]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        log.close()
