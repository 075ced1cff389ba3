"""Nodes of a Swarm, each a Docker Engine in a container of its own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.stack.stack import ROOT, docker
from tests.waiting import eventually

IMAGE = "docker:28-dind"
NETWORK, SUBNET = "poolsight-swarm", "10.97.0.0/24"
# All managers: two of three go on without the third.
ADDRESSES = {"node1": "10.97.0.11", "node2": "10.97.0.12", "node3": "10.97.0.13"}
NAMES = tuple(ADDRESSES)
METRICS = "node1"  # which keeps the metrics, and from where the stack is deployed


class Nodes:
    """Three nodes of one Swarm, on a network that other containers may be on too."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            docker("network", "create", "--subnet", SUBNET, NETWORK)
            stack.callback(docker, "network", "rm", NETWORK)
            for name in NAMES:
                stack.callback(docker, "rm", "--force", "--volumes", _container(name))
                self._run(name)
            self._join()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def host(self, name: str) -> str:
        """Where the engine of a node listens: DOCKER_HOST."""
        return f"unix://{self._directory / name / 'docker.sock'}"

    def docker(self, name: str, *arguments: str, timeout: float = 120) -> str:
        """Run `docker` on a node; its output."""
        return docker("--host", self.host(name), *arguments, timeout=timeout)

    def load(self, images: Iterable[str]) -> None:
        """Bring *images* from this machine to all nodes."""
        archive = self._directory / "images.tar"
        docker("save", "--output", str(archive), *images, timeout=600)
        with ThreadPoolExecutor(len(NAMES)) as pool:
            list(pool.map(lambda name: self._load(name, archive), NAMES))
        archive.unlink()

    def lose(self, name: str) -> None:
        """End a node as a power cut does: nobody hears a farewell."""
        docker("network", "disconnect", "--force", NETWORK, _container(name))
        docker("kill", _container(name))

    def _run(self, name: str) -> None:
        (self._directory / name).mkdir()
        docker(
            "run", "--detach", "--privileged", "--name", _container(name), "--hostname", name,
            "--network", NETWORK, "--network-alias", name, "--ip", ADDRESSES[name],
            "--tmpfs", "/run",  # so that nothing of its last life is there when it starts again
            "--volume", f"{self._directory / name}:/run/node", "--volume", f"{ROOT}:{ROOT}:ro",
            IMAGE, "dockerd", "--host=unix:///run/node/docker.sock",
        )  # fmt: skip
        try:
            eventually(lambda: self._answers(name), within=60)
        except AssertionError as error:
            raise RuntimeError(docker("logs", "--tail", "20", _container(name))) from error

    def _answers(self, name: str) -> bool:
        found = subprocess.run(
            ["docker", "--host", self.host(name), "info"], capture_output=True, check=False
        )
        return not found.returncode

    def _join(self) -> None:
        first, *others = NAMES
        self.docker(first, "swarm", "init", "--advertise-addr", ADDRESSES[first])
        token = self.docker(first, "swarm", "join-token", "--quiet", "manager").strip()
        for name in others:
            self.docker(name, "swarm", "join", "--token", token, f"{ADDRESSES[first]}:2377")
        self.docker(first, "node", "update", "--label-add", "poolsight.monitoring=true", METRICS)

    def _load(self, name: str, archive: Path) -> None:
        self.docker(name, "load", "--quiet", "--input", str(archive), timeout=600)


def _container(name: str) -> str:
    return f"poolsight-{name}"
