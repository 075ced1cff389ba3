"""The one-query application with one variant under gunicorn, and the CPU time that it takes."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from urllib.request import urlopen

from app.pool.slots import DIRECTORY_VARIABLE
from benchmarks import setting
from benchmarks.cpu import children_seconds
from benchmarks.load import connected, load
from benchmarks.one_query import BODY
from loadtest.lab.application import ROOT, START_TIMEOUT
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.errors import LabError
from loadtest.lab.ports import free_port
from loadtest.lab.processes import Service, Workspace

HOST = "127.0.0.1"
WORKERS, THREADS = 4, 16
COMMAND = (
    *(sys.executable, "-m", "gunicorn", "-c", "python:benchmarks.server"),
    "benchmarks.one_query:create_app()",
)


@dataclass(frozen=True)
class Answers:
    """What a variant did under load.

    Attributes:
        seconds: how long it was loaded.
        cpu_seconds: the workers' CPU time meanwhile.
    """

    requests: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def __add__(self, more: Answers) -> Answers:
        return Answers(
            self.requests + more.requests,
            self.seconds + more.seconds,
            self.cpu_seconds + more.cpu_seconds,
        )

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu(self) -> float:
        """CPU seconds for each request."""
        return self.cpu_seconds / self.requests


class Served:
    """gunicorn with one variant, on a port of its own; ``metrics_url`` is where it tells of it."""

    def __init__(self, variant: str, database: PrivateDatabase, workspace: Workspace) -> None:
        self.variant = variant
        self._port, metrics_port = free_port(), free_port()
        self.metrics_url = f"http://{HOST}:{metrics_port}/metrics"
        directory = workspace.directory / variant
        directory.mkdir()
        environment = {
            **_environment(database, directory),
            setting.VARIANT: variant,
            setting.BIND: f"{HOST}:{self._port}",
            setting.METRICS_BIND: f"{HOST}:{metrics_port}",
        }
        log = workspace.directory / f"{variant}.log"
        self._service = Service(workspace, COMMAND, log=log, env=environment, cwd=ROOT)

    def wait_until_ready(self) -> None:
        """Wait for the first answer.

        Raises:
            LabError: it did not start.
        """
        deadline = monotonic() + START_TIMEOUT
        while not self._answers():
            if not self._service.alive or monotonic() > deadline:
                raise LabError(f"{self.variant} did not start:\n{self._service.last_lines()}")
            sleep(0.1)

    def answers(self, seconds: float) -> Answers:
        """What it does when as many clients as it has threads ask again and again."""
        with connected(HOST, self._port, WORKERS, THREADS) as connections:
            before = children_seconds(self._service.process.pid)
            done = load(connections, BODY, seconds)
            used = children_seconds(self._service.process.pid) - before
        return Answers(done.requests, done.seconds, used)

    def _answers(self) -> bool:
        try:
            with urlopen(f"http://{HOST}:{self._port}/", timeout=3) as answer:
                return bool(answer.read() == BODY)
        except OSError:
            return False


def _environment(database: PrivateDatabase, directory: Path) -> dict[str, str]:
    return {
        **os.environ,
        **database.environment("app"),
        setting.WORKERS: str(WORKERS),
        setting.THREADS: str(THREADS),
        DIRECTORY_VARIABLE: str(directory),
        "PROMETHEUS_MULTIPROC_DIR": str(directory),
    }
