"""A saturated server with the pool's instrumentation, and scrapes while every thread is busy."""

from __future__ import annotations

from dataclasses import asdict

from benchmarks import scrapes, throughput
from loadtest.lab.database import PrivateDatabase
from tests.drills import record


def main() -> None:
    """Compare the throughput, scrape, and record."""
    with PrivateDatabase.running() as database:
        found, asked = throughput.measure(database), scrapes.measure(database)
    findings = {"throughput": asdict(found), "scrapes": asdict(asked)}
    record("throughput", found.passed and asked.passed, database.name, findings)


if __name__ == "__main__":
    main()
