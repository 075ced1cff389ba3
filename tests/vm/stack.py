"""The stack on a machine, asked the same questions as one on this computer: through a tunnel."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.stack.stack import Stack
from tests.vm.machine import Machine

PROJECT = "/opt/poolsight"


class MachineStack(Stack):
    """A stack whose database is the machine's own."""

    def __init__(self, machine: Machine) -> None:
        super().__init__("poolsight", grafana=False, ports={})
        self.machine = machine

    def compose(
        self,
        *arguments: str,
        check: bool = True,
        timeout: float = 120,
        settings: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker compose` there."""
        words = shlex.join(["docker", "compose", *arguments])
        return self.machine.ssh(f"cd {PROJECT} && sudo {words}", check=check, timeout=timeout)

    def sql(self, statement: str) -> list[list[str]]:
        """Ask MySQL as root, by the socket of the machine."""
        client = f"sudo mysql --skip-column-names --batch clinic --execute={shlex.quote(statement)}"
        return [line.split("\t") for line in self.machine.ssh(client).stdout.splitlines()]

    @contextmanager
    def tunnelled(self) -> Iterator[None]:
        """Meanwhile its pages and Prometheus are on this computer's loopback."""
        with self.machine.forward(8080) as pages, self.machine.forward(9090) as prometheus:
            self.ports = {"HTTP_PORT": pages, "PROMETHEUS_PORT": prometheus}
            yield
