"""The application under gunicorn, as it runs for its users."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from loadtest.lab.application import POOL, Application
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.processes import Workspace

WORKERS, THREADS, SIZE, OVERFLOW = 2, 8, 2, 1


@pytest.fixture(scope="session")
def application(database: PrivateDatabase) -> Iterator[Application]:
    """Two workers with eight threads and a pool of 2+1 each, and the lab."""
    workspace = Workspace("poolsight-test-")
    application = Application(workspace, database)
    application.settings = settings()
    application.start()
    yield application
    application.stop()
    workspace.close()


def settings() -> dict[str, str]:
    """A pool of 2+1 for each of two workers, with eight threads each, and the lab."""
    return {
        **POOL,
        "CLINIC_WORKERS": str(WORKERS),
        "CLINIC_THREADS": str(THREADS),
        "CLINIC_POOL_SIZE": str(SIZE),
        "CLINIC_POOL_MAX_OVERFLOW": str(OVERFLOW),
        "CLINIC_POOL_TIMEOUT": "3",
        "CLINIC_LAB_ENABLED": "true",
    }


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
