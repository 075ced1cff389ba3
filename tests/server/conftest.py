"""The application under gunicorn, as it runs for its users."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from loadtest.lab.application import Application
from loadtest.lab.database import PrivateDatabase
from tests.conftest import flask

WORKERS, THREADS, SIZE, OVERFLOW = 2, 8, 2, 1


SETTINGS = {
    "CLINIC_WORKERS": str(WORKERS),
    "CLINIC_THREADS": str(THREADS),
    "CLINIC_POOL_SIZE": str(SIZE),
    "CLINIC_POOL_MAX_OVERFLOW": str(OVERFLOW),
    "CLINIC_POOL_TIMEOUT": "3",
    "CLINIC_LAB_ENABLED": "true",
    "CLINIC_NODE": "node1",
}


@pytest.fixture(scope="session")
def database() -> Iterator[PrivateDatabase]:
    """A server that nobody else connects to, with an up-to-date schema and no data."""
    with PrivateDatabase.running() as server:
        flask(server, "db", "upgrade")
        yield server


@pytest.fixture(scope="session")
def application(database: PrivateDatabase) -> Iterator[Application]:
    """Two workers with eight threads and a pool of 2+1 each, and the lab."""
    with Application.running(database, **SETTINGS) as application:
        yield application


class Scrape:
    """One reading of the metrics port."""

    def __init__(self, application: Application) -> None:
        with urllib.request.urlopen(application.metrics_url, timeout=2) as answer:
            text = answer.read().decode()
        self.families: dict[str, Metric] = {f.name: f for f in text_string_to_metric_families(text)}

    def total(self, metric: str, **labels: str) -> float:
        """The sum of all samples of *metric* that have *labels*."""
        return sum(self.values(metric, **labels))

    def values(self, metric: str, **labels: str) -> list[float]:
        """The values of all samples of *metric* that have *labels*."""
        return [
            sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        ]
