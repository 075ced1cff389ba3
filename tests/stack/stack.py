"""The stack under test: Docker Compose under a project name and ports of its own."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GRAFANA_IMAGE = "grafana/grafana:12.4.0"
PORTS = ("HTTP_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT", "TOXIPROXY_PORT")


@dataclass
class Stack:
    """A running stack, and the questions that tests ask it."""

    project: str
    grafana: bool
    ports: dict[str, int] = field(default_factory=lambda: free_ports(*PORTS))
    settings: dict[str, str] = field(default_factory=dict)
    directory: Path = ROOT

    def compose(
        self,
        *arguments: str,
        check: bool = True,
        timeout: float = 120,
        settings: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker compose` with `arguments`; its environment has the stack's settings too."""
        published = {name: str(port) for name, port in self.ports.items()}
        found = subprocess.run(
            ["docker", "compose", "--project-name", self.project, *arguments],
            cwd=self.directory,
            env={**os.environ, **published, **self.settings, **(settings or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and found.returncode:
            command = " ".join(arguments)
            raise RuntimeError(f"docker compose {command}\n{found.stdout}{found.stderr}")
        return found

    def build(self) -> None:
        """Build the project's own images, also that of the load generator."""
        self.compose("--profile", "*", "build", timeout=600)

    def up(self) -> None:
        """Bring everything up that can be had here, and wait until it is healthy."""
        without_grafana = () if self.grafana else ("--pull", "never", "--scale", "grafana=0")
        self.compose("up", "--detach", "--wait", *without_grafana, timeout=600)

    def down(self) -> None:
        """Remove containers, volumes and networks, as a user would."""
        # A test that failed may have left the proxy; `down` passes by a profile that is off.
        self.compose("--profile", "faults", "rm", "--stop", "--force", "toxiproxy", check=False)
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")

    def migrate(
        self, command: str, *options: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a container of `migrate`, as the README tells."""
        run = ("run", "--rm", "--no-deps", "--no-TTY", *options, "migrate", command)
        return self.compose(*run, check=check, timeout=3000)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """Return `docker inspect` of the service's containers, running ones only."""
        ids = self.compose("ps", "--quiet", service).stdout.split()
        return inspect(*ids) if ids else []

    def shell(self, service: str, script: str, *, check: bool = True) -> str:
        """Run a shell script in a running container of `service`; return its output."""
        found = self.compose("exec", "--no-TTY", service, "sh", "-c", script, check=check)
        return found.stdout + ("" if check else found.stderr)

    def sql(self, statement: str) -> list[list[str]]:
        """Ask MySQL as root, which only its socket admits; return the rows."""
        client = "mysql --defaults-file=/run/secrets/clinic/root.cnf --skip-column-names --batch"
        rows = self.shell("mysql", f'{client} clinic --execute="{statement}"')
        return [line.split("\t") for line in rows.splitlines()]

    def get(self, path: str, port: str = "HTTP_PORT") -> tuple[int, str]:
        """GET `path` from a published port; return status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=15)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def items(self, path: str) -> list[dict[str, Any]]:
        """GET a list from the API; return its items."""
        status, body = self.get(f"/api/v1{path}")
        assert status == 200, body
        found: list[dict[str, Any]] = json.loads(body)["items"]
        return found

    def prometheus(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Evaluate `query` now; return value by labels."""
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": query})
        status, body = self.get(path, "PROMETHEUS_PORT")
        assert status == 200, body
        return {
            tuple(sorted(series["metric"].items())): float(series["value"][1])
            for series in json.loads(body)["data"]["result"]
        }

    def value(self, query: str) -> float | None:
        """Evaluate a query of one value; None when there is none."""
        return next(iter(self.prometheus(query).values()), None)

    def shows(self, query: str, wanted: float) -> bool:
        """Say whether a query of one value has the value `wanted`."""
        return self.value(query) == wanted


def docker(*arguments: str, timeout: float = 120) -> str:
    """Run `docker` with `arguments`; return its output."""
    found = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=timeout, check=True
    )
    return found.stdout


def inspect(*names: str) -> list[dict[str, Any]]:
    """Return `docker inspect` of `names`."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", *names))
    return found


def leftovers(project: str) -> list[str]:
    """Return what Docker still has of `project`: containers, volumes, networks."""
    label = f"label=com.docker.compose.project={project}"
    kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
    return [line for kind in kinds for line in docker(*kind, "--quiet", "--filter", label).split()]


def has_image(reference: str) -> bool:
    """Say whether `reference` is here or can be fetched."""
    for command in (["image", "inspect", reference], ["pull", "--quiet", reference]):
        if not subprocess.run(["docker", *command], capture_output=True, check=False).returncode:
            return True
    return False


def free_ports(*names: str) -> dict[str, int]:
    """Return a port of 127.0.0.1 that nobody listens on for each of `names`."""
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in names}
    found = {name: one.getsockname()[1] for name, one in sockets.items()}
    for one in sockets.values():
        one.close()
    return found
