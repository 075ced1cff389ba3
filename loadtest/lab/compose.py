"""The compose stack as a target: it must be running, and is left as it was found."""

import json
import os
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from loadtest.lab.application import ROOT
from loadtest.lab.errors import LabError
from loadtest.lab.processes import Service, Workspace, indented
from loadtest.lab.sources import Prometheus, Source
from loadtest.lab.targets import BOOKINGS, LOG, REQUESTS, Execute, Rows, versions
from loadtest.lab.waiting import wait_for
from loadtest.send import target_problem

READY = 90.0  # seconds for a new application container to answer, and to be scraped
PROXY = "mysql"  # Toxiproxy's name for the way to the database
SERVICES = {"application": "app", "database": "mysql"}
MYSQL = "mysql --defaults-file=/run/secrets/clinic/root.cnf --batch --skip-column-names clinic"


class Compose:
    """The running stack of this project; see :class:`loadtest.lab.targets.Target`.

    Where ``settings`` differ from what runs, or the way to the database has to lead through
    Toxiproxy, the application's container is replaced meanwhile.
    """

    name = "compose"

    def __init__(self, settings: Mapping[str, str], *, proxied: bool) -> None:
        self._wanted = dict(settings)
        self._proxied = proxied

    def __enter__(self) -> Self:
        self.url = f"http://{self._published('nginx', 8080)}"
        self.prometheus: Prometheus | None = Prometheus(
            f"http://{self._published('prometheus', 9090)}"
        )
        self.source: Source = self.prometheus
        with ExitStack() as stack:
            stack.enter_context(self._replaced())
            self._workspace = Workspace("poolsight-lab-")
            stack.callback(self._workspace.close)
            self._wait_until_seen()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    @contextmanager
    def _replaced(self) -> Iterator[None]:
        """Run the application as it is wanted, where it does not, and then as before."""
        before = self._environment()
        wanted = self._wanted | ({"CLINIC_DB_HOST": "toxiproxy"} if self._proxied else {})
        if all(before.get(name) == value for name, value in wanted.items()):
            yield
            return
        try:
            if self._proxied:
                self._compose("up", "--detach", "--wait", "--no-deps", "toxiproxy")
            self._replace(before | wanted)
            yield
        finally:
            self._replace(before)
            if self._proxied:
                self._compose("rm", "--stop", "--force", "toxiproxy")

    def settings(self) -> dict[str, str]:
        """Of the application's container, as far as they are set."""
        kept = ("CLINIC_POOL", "CLINIC_WORKERS", "CLINIC_THREADS", "CLINIC_DB_HOST")
        return {name: value for name, value in self._environment().items() if name.startswith(kept)}

    def versions(self) -> dict[str, str]:
        """Of the server, and of this side."""
        ((server,),) = self.sql("SELECT VERSION()")
        return {"database": f"MySQL {server}", **versions()}

    def send(self, options: Sequence[str], directory: Path) -> Service:
        """Start the load in a container of the stack, where Prometheus scrapes it too."""
        if options[0].endswith(".toml"):
            raise LabError(f"{options[0]}: the load's container knows scenarios by name only.")
        directory.chmod(0o777)  # the container's user writes its files into it
        container = f"poolsight-load-{secrets.token_hex(4)}"
        command = [
            *_command("run", "--rm", "--no-TTY", "--no-deps", "--name", container),
            "--volume", f"{directory.resolve()}:/results",
            "--env", f"LOADTEST_REQUESTS_FILE=/results/{REQUESTS}",
            "--env", f"LOADTEST_BOOKINGS_FILE=/results/{BOOKINGS}",
            "loadtest", "load", *options,
        ]  # fmt: skip
        return _ContainerService(self._workspace, command, directory / LOG, container)

    def problem(self) -> str:
        """The application's container is Docker's to restart; failures are in the numbers."""
        return ""

    def kill_database(self) -> None:
        """Kill the container."""
        self._compose("kill", "mysql")

    def start_database(self) -> None:
        """Start the container, and wait until its health check says so."""
        self._compose("up", "--detach", "--wait", "--no-deps", "--no-recreate", "mysql")

    @contextmanager
    def frozen(self, who: str) -> Iterator[None]:
        """Pause the service's containers."""
        self._compose("pause", SERVICES[who])
        try:
            yield
        finally:
            self._compose("unpause", SERVICES[who])

    def sql(self, statement: str, *, may_fail: bool = False) -> Rows:
        """Run a statement as root, whom only the server's own socket admits."""
        words = ["exec", "--no-TTY", "mysql", *MYSQL.split(), f"--execute={statement}"]
        try:
            return [line.split("\t") for line in self._compose(*words).splitlines()]
        except LabError:
            if may_fail:
                return []
            raise

    @contextmanager
    def session(self) -> Iterator[Execute]:
        """Keep a client's session open; it ends with its input."""
        with subprocess.Popen(  # noqa: S603
            _command("exec", "--no-TTY", "mysql", *MYSQL.split(), "--unbuffered"),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as client:
            if client.stdin is None or client.stdout is None:
                raise LabError("The database's client has no input.")
            stdin, stdout = client.stdin, client.stdout

            def run(statement: str) -> None:
                stdin.write(f"{statement};\nSELECT 'ready';\n")
                stdin.flush()
                if "ready\n" not in iter(stdout.readline, ""):
                    raise LabError(f"The database did not take {statement!r}.")

            yield run

    @contextmanager
    def toxic(self, type: str, attributes: Mapping[str, Any]) -> Iterator[None]:
        """Add a toxic to the proxy, and remove it."""
        api = f"http://{self._published('toxiproxy', 8474)}/proxies/{PROXY}/toxics"
        _request("POST", api, {"name": "fault", "type": type, "attributes": dict(attributes)})
        try:
            yield
        finally:
            _request("DELETE", f"{api}/fault")

    def _environment(self) -> dict[str, str]:
        """Return the application's settings, from one of its containers."""
        containers = self._compose("ps", "--quiet", "app").split()
        if not containers:
            raise LabError("The stack does not run. Start it: docker compose up --wait")
        found = json.loads(_run(["docker", "inspect", containers[0]]))[0]["Config"]["Env"]
        pairs = (line.partition("=") for line in found)
        # What Compose passes on only where it is set stands there without a value.
        return {name: value for name, _, value in pairs if value and name.startswith("CLINIC_")}

    def _replace(self, settings: Mapping[str, str]) -> None:
        self._compose("up", "--detach", "--wait", "--no-deps", "app", settings=settings)

    def _wait_until_seen(self) -> None:
        """Wait until the application answers through nginx, and Prometheus has its metrics."""
        since = time.time()

        def seen() -> bool:
            sample = self.source.sample()
            fresh = sample is not None and sample.pool is not None and sample.at > since
            return fresh and target_problem(self.url) is None

        if not wait_for(seen, READY, every=0.5):
            problem = target_problem(self.url) or self.source.problem()
            raise LabError(problem or "Prometheus does not scrape the application.")

    def _published(self, service: str, port: int) -> str:
        try:
            found = self._compose("port", service, str(port)).strip()
        except LabError as error:
            raise LabError(
                f"{service} of the stack does not run: docker compose up --wait\n{error}"
            ) from error
        return found.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - where it is asked, not bound

    def _compose(self, *arguments: str, settings: Mapping[str, str] | None = None) -> str:
        return _run(_command(*arguments), {**os.environ, **(settings or {})})


class _ContainerService(Service):
    """A load in a container, which outlives the client that started it unless it is removed."""

    def __init__(
        self, workspace: Workspace, command: Sequence[str], log: Path, container: str
    ) -> None:
        super().__init__(workspace, command, log=log, cwd=ROOT)
        self._container = container

    def kill(self) -> None:
        """Remove the container, and then end the client."""
        with suppress(LabError):
            _run(["docker", "rm", "--force", self._container])
        super().kill()


def _command(*arguments: str) -> list[str]:
    return ["docker", "compose", "--profile", "*", *arguments]


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise LabError(f"{command[0]} was not found: the compose stack needs Docker.") from None
    if done.returncode:
        tail = indented(done.stderr.splitlines())
        raise LabError(f"{' '.join(command)} failed:\n{tail}")
    return done.stdout


def _request(method: str, url: str, body: Mapping[str, Any] | None = None) -> None:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, method=method)  # noqa: S310
    try:
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
    except (OSError, urllib.error.HTTPError) as error:
        raise LabError(f"Toxiproxy: {method} {url}: {error}") from error
