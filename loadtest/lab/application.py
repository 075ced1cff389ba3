"""The application under gunicorn, on free loopback ports, beside a private database."""

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from loadtest.lab.database import Account, PrivateDatabase
from loadtest.lab.errors import LabError
from loadtest.lab.ports import free_port
from loadtest.lab.processes import Service, Workspace, indented

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 25.0  # seconds
STOP_GRACE = 5.0  # seconds

POOL = {
    "CLINIC_POOL_SIZE": "4",
    "CLINIC_POOL_MAX_OVERFLOW": "2",
    "CLINIC_POOL_TIMEOUT": "1",
    "CLINIC_WORKERS": "2",
    "CLINIC_THREADS": "16",
}


class Application:
    """gunicorn with the clinic; ``settings`` are the pool and worker settings it runs with.

    Call ``prepare()`` for the schema and sample data, then ``start()``. Both raise LabError with
    the last lines of what went wrong. Or use ``running()``, on a database that is prepared.
    """

    def __init__(
        self,
        workspace: Workspace,
        database: PrivateDatabase,
        host: str = "127.0.0.1",
        **settings: str,
    ) -> None:
        self.settings = POOL | settings
        self.url = f"http://{host}:{free_port()}"
        self.metrics_url = f"http://{host}:{free_port()}/metrics"
        self._workspace = workspace
        self._database = database
        self.log = workspace.directory / "application.log"
        self.service: Service | None = None

    @classmethod
    @contextmanager
    def running(
        cls, database: PrivateDatabase, host: str = "127.0.0.1", **settings: str
    ) -> Iterator["Application"]:
        """Start an application of one's own, and stop it at the end."""
        workspace = Workspace("poolsight-app-")
        application = cls(workspace, database, host, **settings)
        try:
            application.start()
            yield application
        finally:
            application.stop()
            workspace.close()

    def prepare(self, patients: int) -> None:
        """Migrate the database, and fill it with the data of ``patients`` synthetic people."""
        self.flask("db", "upgrade", account="migrator")
        self.flask("seed", "--patients", str(patients), account="migrator")

    def start(self) -> None:
        """Start gunicorn and wait until it is ready."""
        key = self._workspace.directory / "secret-key"
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(32))
        env = {
            "CLINIC_LOG_LEVEL": "WARNING",
            **self._environment("app"),
            "CLINIC_SECRET_KEY_FILE": str(key),
            "CLINIC_BIND": self.url.removeprefix("http://"),
            "CLINIC_METRICS_BIND": self.metrics_url.removeprefix("http://").split("/")[0],
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "python:app.server", "app:create_app()"]
        self.service = Service(self._workspace, command, log=self.log, env=env, cwd=ROOT)
        self._wait_until_ready(self.service)

    def stop(self) -> None:
        """Stop gunicorn, gently and then surely."""
        if self.service is not None:
            self.service.stop(STOP_GRACE)

    @property
    def pid(self) -> int:
        """The process id of gunicorn's arbiter, whose children are the workers."""
        return self.service.process.pid if self.service else 0

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have all workers stop where they are meanwhile; their sockets stay open."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        workers = [int(child) for child in children]
        _signal(workers, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(workers, signal.SIGCONT)

    @property
    def alive(self) -> bool:
        """Whether gunicorn still runs."""
        return self.service is not None and self.service.alive

    def last_lines(self) -> str:
        """Return the end of its log, for a message."""
        return self.service.last_lines() if self.service else ""

    def _environment(self, account: Account) -> dict[str, str]:
        """Return this process's environment with nobody else's settings of the application."""
        others = {k: v for k, v in os.environ.items() if not k.startswith("CLINIC_")}
        return others | self._database.environment(account) | self.settings

    def _wait_until_ready(self, service: Service) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self._is_ready():
            if not service.alive or time.monotonic() > deadline:
                raise LabError(f"The application did not start:\n{service.last_lines()}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=3) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.HTTPError, OSError):
            return False

    def flask(self, *arguments: str, account: Account = "app") -> str:
        """Run one of its commands, with its settings; return what it printed. Raises LabError."""
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "flask", "--app", "app", *arguments],
            env=self._environment(account),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            tail = indented(done.stderr.splitlines())
            raise LabError(f"flask {' '.join(arguments)} failed:\n{tail}")
        return done.stdout


def _signal(processes: Sequence[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)
