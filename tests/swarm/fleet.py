"""The stack on the Swarm: deployed as docs/scale.md tells, and what it says of itself."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loadtest.lab.ports import free_port
from tests.stack.stack import ROOT, docker
from tests.swarm.nodes import ADDRESSES, METRICS, NAMES, NETWORK, Nodes
from tests.swarm.servers import REPLICA, SOURCE
from tests.waiting import eventually

STACK = "poolsight"
SETTINGS = {
    "CLINIC_DB_HOST": SOURCE,
    "CLINIC_DB_REPLICAS": f"{REPLICA}:3306",
    "CLINIC_SEED_PATIENTS": "9000",
    "CLINIC_LAB_ENABLED": "true",
    "CLINIC_NETWORKS_ENCRYPTED": "false",  # which takes IPsec in the kernel of all nodes
    "GRAFANAS": "0",  # its image cannot be had everywhere
}
BALANCER = "balancer.test"
CONVERGED = 180.0  # seconds


class Fleet:
    """The services, by way of a manager that lives."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.port = free_port()

    def secrets(self, directory: Path) -> Path:
        """What init makes for MySQL, copied to this machine."""
        self._run("docker", "compose", "up", "--no-log-prefix", "init")
        self._run("docker", "compose", "cp", "init:/volumes/mysql", str(directory))
        subprocess.run(["chown", "--recursive", "999:999", str(directory / "mysql")], check=True)
        return directory / "mysql"

    def deploy(
        self, image: str, replicas: int, schema: str = "head", check: bool = True, **others: str
    ) -> str:  # fmt: skip
        """Run deploy.sh, with *others* of its settings; what it said."""
        settings = {"POOLSIGHT_IMAGE": image, "CLINIC_REPLICAS": str(replicas),
                    "CLINIC_SCHEMA": schema, **others}  # fmt: skip
        script = ("sh", "compose/swarm/deploy.sh", "--resolve-image", "never")
        return self._run(*script, settings=settings, check=check, timeout=900)

    def scale(self, replicas: int) -> None:
        """Change the number of replicas, and wait until all are healthy."""
        self.docker("service", "scale", f"{STACK}_app={replicas}", timeout=CONVERGED)

    def docker(self, *arguments: str, timeout: float = 120) -> str:
        """Run `docker` on the manager from where the stack is deployed."""
        return self._nodes.docker(METRICS, *arguments, timeout=timeout)

    def nodes_with_replicas(self) -> dict[str, int]:
        """How many replicas run on each node."""
        listed = self.docker(
            "service", "ps", f"{STACK}_app", "--filter", "desired-state=running",
            "--format", "{{.Node}} {{.CurrentState}}",
        )  # fmt: skip
        on = [line.split()[0] for line in listed.splitlines() if line.split()[1] == "Running"]
        return {name: on.count(name) for name in NAMES}

    def ask(self, query: str, at: float | None = None) -> dict[tuple[tuple[str, str], ...], float]:
        """Ask the Swarm's Prometheus; values by labels."""
        found = self._query("query", {"query": query, "time": at or time.time()})
        return {
            tuple(sorted(one["metric"].items())): float(one["value"][1])
            for one in found
        }  # fmt: skip

    def value(self, query: str) -> float | None:
        """The value of a query that has one."""
        return next(iter(self.ask(query).values()), None)

    def course(self, query: str, began: float, ended: float) -> list[tuple[float, float]]:
        """A query's one series, each 5 s."""
        asked = {"query": query, "start": began, "end": ended, "step": 5}
        found = self._query("query_range", asked)
        return [(float(at), float(value)) for at, value in found[0]["values"]] if found else []

    def history(self, query: str) -> Any:
        """Ask VictoriaMetrics, which only the metrics' network reaches."""
        container = self.docker("ps", "--quiet", "--filter", f"name={STACK}_prometheus").strip()
        url = f"http://victoriametrics:8428/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        answer = self.docker("exec", container, "wget", "-q", "-O", "-", url)
        return json.loads(answer)["data"]["result"]

    @contextmanager
    def balanced(self) -> Iterator[None]:
        """A load balancer in front of all nodes, on a port of this machine."""
        config = Path(__file__).with_name("balancer.conf")
        docker(
            "run", "--detach", "--name", BALANCER, "--network", NETWORK,
            "--publish", f"127.0.0.1:{self.port}:8080",
            "--volume", f"{config}:/etc/nginx/nginx.conf:ro", "nginxinc/nginx-unprivileged:1.26.3",
        )  # fmt: skip
        try:
            eventually(self._answers, within=60)
            yield
        finally:
            docker("rm", "--force", BALANCER)

    def load(self, generators: int) -> str:
        """Run pool-bound.toml from the Swarm itself, by a master and workers; what they merged."""
        settings = {"GENERATORS": str(generators), "LOCUST_HOST": f"http://{BALANCER}:8080"}
        files = ("compose/swarm/loadtest.yml", "tests/swarm/scenarios.yml")
        options = [word for name in files for word in ("--compose-file", name)]
        self._run("docker", "stack", "deploy", "--resolve-image", "never", *options, STACK,
                  settings=settings)  # fmt: skip
        state = ("service", "ps", "--format", "{{.CurrentState}}", f"{STACK}_loadtest")
        try:
            eventually(lambda: self.docker(*state).startswith(("Complete", "Failed")), within=180)
            return self._run("docker", "service", "logs", "--raw", f"{STACK}_loadtest")
        except AssertionError as error:
            raise RuntimeError("\n".join(map(self._state, ("", "-worker")))) from error
        finally:
            self.docker("service", "rm", f"{STACK}_loadtest", f"{STACK}_loadtest-worker")

    def _state(self, suffix: str) -> str:
        service = f"{STACK}_loadtest{suffix}"
        tasks = self.docker("service", "ps", "--no-trunc", service)
        return tasks + self._run("docker", "service", "logs", "--tail", "20", service, check=False)

    def _answers(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/api/v1/clinicians?limit=1"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)

    def _query(self, kind: str, asked: dict[str, Any]) -> Any:
        url = f"http://{ADDRESSES[METRICS]}:9090/api/v1/{kind}?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=15) as answer:
            return json.load(answer)["data"]["result"]

    def _run(
        self, *command: str, settings: dict[str, str] | None = None, check: bool = True,
        timeout: float = 300,
    ) -> str:  # fmt: skip
        environment = {"DOCKER_HOST": self._nodes.host(METRICS), **SETTINGS}
        found = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment, **(settings or {})},
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        said = found.stdout + found.stderr
        if check and found.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{said}")
        return said
