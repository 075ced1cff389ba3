"""What a scenario runs on: the embedded stack, the compose stack, or any URL.

A target is used as a context manager: it is ready inside, and as it was before afterwards.
"""

import os
import platform
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol, Self

from loadtest.lab.application import ROOT, Application
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.errors import LabError
from loadtest.lab.ports import free_port
from loadtest.lab.processes import Service, Workspace
from loadtest.lab.samples import ServerSample
from loadtest.lab.sources import Endpoints, Prometheus, Source
from loadtest.lab.waiting import wait_for
from loadtest.send import target_problem

PATIENTS = 2000
SCRAPED = 20.0  # seconds until a Prometheus has scraped what has just started
REQUESTS, BOOKINGS, LOG = "requests.csv", "bookings.jsonl", "load.log"

Rows = Sequence[Sequence[Any]]
Execute = Callable[[str], None]


class Target(Protocol):
    """Where the load goes, what tells of it, and what can go wrong there.

    Each method raises LabError where this target cannot do that.
    """

    name: str
    url: str
    source: Source
    prometheus: Prometheus | None

    def __enter__(self) -> Self:
        """Make it ready."""

    def __exit__(self, *details: object) -> None:
        """Leave it as it was."""

    def settings(self) -> dict[str, str]:
        """The application's settings that a report shows."""

    def versions(self) -> dict[str, str]:
        """What its numbers depend on."""

    def send(self, options: Sequence[str], directory: Path) -> Service:
        """Start ``python -m loadtest load`` with *options*; it writes into *directory*."""

    def problem(self) -> str:
        """Why it does not run any more; empty while it does."""

    def kill_database(self) -> None:
        """End the database server as a crash would."""

    def start_database(self) -> None:
        """Start it again, and return when it accepts connections."""

    def frozen(self, who: str) -> AbstractContextManager[None]:
        """Stop the ``database`` or the ``application`` where it is, meanwhile."""

    def sql(self, statement: str, *, may_fail: bool = False) -> Rows:
        """Run a statement as the database's administrator."""

    def session(self) -> AbstractContextManager[Execute]:
        """Keep one session open meanwhile; what it gives runs a statement in it."""

    def toxic(self, type: str, attributes: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Have Toxiproxy treat the connections to the database like this, meanwhile."""


class Embedded:
    """A private database and the application under gunicorn, on this machine, for one run.

    Or only the application, on a *database* that is prepared already.
    """

    name = "embedded"
    prometheus: Prometheus | None = None

    def __init__(
        self, settings: Mapping[str, str], database: PrivateDatabase | None = None
    ) -> None:
        self._wanted = dict(settings)
        self._given = database
        self._stack = ExitStack()
        self._bind = f"127.0.0.1:{free_port()}"

    def __enter__(self) -> Self:
        with self._stack as stack:
            self._workspace = Workspace("poolsight-lab-")
            stack.callback(self._workspace.close)
            self.database = self._given or stack.enter_context(prepared_database())
            self.application = Application(self._workspace, self.database, **self._wanted)
            self.application.start()
            stack.callback(self.application.stop)
            self._watcher: Any = None
            self._stack = stack.pop_all()
        self.url = self.application.url
        load = f"http://{self._bind}/metrics"
        self.source: Source = Endpoints(self.application.metrics_url, [load], self._server)
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def settings(self) -> dict[str, str]:
        """The pool and worker settings, and what the scenario wants."""
        return self.application.settings

    def versions(self) -> dict[str, str]:
        """Of the server, the packages and this machine."""
        return {"database": self.database.name, **versions()}

    def send(self, options: Sequence[str], directory: Path) -> Service:
        """Start the load here."""
        return send_here(self._workspace, self.url, options, directory, self._bind)

    def problem(self) -> str:
        """Say whether gunicorn has ended."""
        if self.application.alive:
            return ""
        return f"the application ended.\n{self.application.last_lines()}"

    def kill_database(self) -> None:
        """Kill the server."""
        self.database.kill()

    def start_database(self) -> None:
        """Start the server on its data."""
        self.database.start()

    def frozen(self, who: str) -> AbstractContextManager[None]:
        """Send SIGSTOP to the server or to all workers, and SIGCONT afterwards."""
        return self.database.frozen() if who == "database" else self.application.frozen()

    def sql(self, statement: str, *, may_fail: bool = False) -> Rows:
        """Run a statement as ``admin``."""
        import pymysql

        try:
            with self.database.connect("admin") as connection, connection.cursor() as cursor:
                cursor.execute(statement)
                rows: Rows = cursor.fetchall()
                return rows
        except pymysql.MySQLError as error:
            if may_fail:
                return []
            raise LabError(f"{statement}: {error}") from error

    @contextmanager
    def session(self) -> Iterator[Execute]:
        """Keep a connection of ``admin`` open."""
        with self.database.connect("admin") as connection, connection.cursor() as cursor:

            def run(statement: str) -> None:
                cursor.execute(statement)

            yield run

    def toxic(self, type: str, attributes: Mapping[str, Any]) -> AbstractContextManager[None]:
        """There is no proxy between application and database here."""
        raise LabError(f"{type}: Toxiproxy is a part of the compose stack: --target compose")

    def _server(self) -> ServerSample | None:
        """Ask the server for its own numbers."""
        import pymysql

        names = ("Threads_connected", "Threads_running", "Innodb_row_lock_waits")
        try:
            if self._watcher is None:
                self._watcher = self.database.connect("admin")
            with self._watcher.cursor() as cursor:
                cursor.execute(f"SHOW GLOBAL STATUS WHERE Variable_name IN {names}")
                found = dict(cursor.fetchall())
        except pymysql.MySQLError:
            self._watcher = None
            return None
        # This connection is none of the application's.
        return ServerSample(
            float(found[names[0]]) - 1, float(found[names[1]]) - 1, float(found[names[2]])
        )


class Remote:
    """An application that runs already, with metrics of its own or in a Prometheus.

    What goes wrong there, somebody else must do; only traffic and the fault endpoints work. *paths*
    are those that the traffic asks for beside the API.
    """

    name = "url"

    def __init__(
        self, url: str, metrics: str | None, prometheus: str | None, paths: Iterable[str] = ()
    ) -> None:
        self.url = url.rstrip("/")
        self._needs_lab = any("/lab/" in path for path in paths)
        # Where the environment says so, as in the stack's container, Prometheus finds the load too.
        self._bind = os.environ.get("LOADTEST_METRICS_BIND") or f"127.0.0.1:{free_port()}"
        load = f"http://127.0.0.1:{self._bind.rpartition(':')[2]}/metrics"
        self.prometheus = Prometheus(prometheus, [load]) if prometheus else None
        if metrics is None and self.prometheus is None:
            raise LabError(
                f"{self.url}: name where its pool's metrics are: --metrics URL (the application's "
                "own), or --prometheus URL (a server that scrapes it)."
            )
        self.source: Source = (
            Endpoints(metrics, [load]) if metrics else self.prometheus or Endpoints("", [])
        )

    def __enter__(self) -> Self:
        problem = target_problem(self.url) or self._unseen() or self._lab_problem()
        if problem:
            raise LabError(problem)
        self._workspace = Workspace("poolsight-lab-")
        return self

    def __exit__(self, *details: object) -> None:
        self._workspace.close()

    def settings(self) -> dict[str, str]:
        """What it runs with is not known."""
        return {"target": self.url}

    def versions(self) -> dict[str, str]:
        """Of this side."""
        return versions()

    def send(self, options: Sequence[str], directory: Path) -> Service:
        """Start the load here."""
        return send_here(self._workspace, self.url, options, directory, self._bind)

    def problem(self) -> str:
        """Nobody tells; requests fail."""
        return ""

    def kill_database(self) -> None:
        """Not from here."""
        raise self._cannot("kill its database")

    def start_database(self) -> None:
        """Not from here."""
        raise self._cannot("start its database")

    def frozen(self, who: str) -> AbstractContextManager[None]:
        """Not from here."""
        raise self._cannot(f"freeze its {who}")

    def sql(self, statement: str, *, may_fail: bool = False) -> Rows:
        """Not from here."""
        raise self._cannot(f"run {statement!r} on its database")

    def session(self) -> AbstractContextManager[Execute]:
        """Not from here."""
        raise self._cannot("keep a session at its database")

    def toxic(self, type: str, attributes: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Not from here."""
        raise self._cannot(f"put {type} between it and its database")

    def _unseen(self) -> str | None:
        """Say why its pool is not seen; a Prometheus that has just started is waited for."""
        patience = SCRAPED if self.prometheus else 0.0
        wait_for(lambda: self.source.problem() is None, patience, every=0.5)
        return self.source.problem()

    def _lab_problem(self) -> str | None:
        if not self._needs_lab:
            return None
        path = f"{self.url}/lab/hold?seconds=0"
        try:
            urllib.request.urlopen(path, timeout=5).close()  # noqa: S310
        except OSError as error:
            return f"{path}: {error}. This scenario needs CLINIC_LAB_ENABLED=true there."
        return None

    def _cannot(self, what: str) -> LabError:
        return LabError(
            f"{self.url} is a target by its URL: this cannot {what}. Use --target compose or "
            "embedded, or do it yourself and send the traffic with `python -m loadtest load`."
        )


@contextmanager
def prepared_database() -> Iterator[PrivateDatabase]:
    """Run a private database with the schema and sample data in it."""
    with PrivateDatabase.running() as database:
        workspace = Workspace("poolsight-lab-")
        try:
            Application(workspace, database).prepare(PATIENTS)
            yield database
        finally:
            workspace.close()


def send_here(
    workspace: Workspace, url: str, options: Sequence[str], directory: Path, bind: str
) -> Service:
    """Start ``python -m loadtest load`` as a child, with its metrics at *bind*."""
    return Service(
        workspace,
        [sys.executable, "-m", "loadtest", "load", *options, "--host", url],
        log=directory / LOG,
        env={
            **{name: value for name, value in os.environ.items() if name != "LOCUST_HOST"},
            "LOADTEST_METRICS_BIND": bind,
            "LOADTEST_REQUESTS_FILE": str(directory.resolve() / REQUESTS),
            "LOADTEST_BOOKINGS_FILE": str(directory.resolve() / BOOKINGS),
        },
        cwd=ROOT,
    )


def versions() -> dict[str, str]:
    """Return what a run's numbers depend on, on this side."""
    found = {}
    for package in ("SQLAlchemy", "PyMySQL", "gunicorn", "Flask", "locust"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    return {**found, "Python": platform.python_version(), "system": system}
