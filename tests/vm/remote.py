"""A machine that SSH reaches: its commands, what is sent to it, and tunnels into it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from loadtest.lab.ports import free_port
from tests.waiting import eventually


class MachineError(RuntimeError):
    """The machine did not do what it was told, or is gone; the message ends with its console."""


class Remote(ABC):
    """The way in. `directory` holds the private key `key`, and what SSH writes."""

    address = "127.0.0.1"

    def __init__(self, directory: Path, user: str, port: int) -> None:
        self.user = user
        self._directory, self._port = directory, port
        self._shared: subprocess.Popen[bytes] | None = None

    @property
    def ssh_options(self) -> list[str]:
        """For `ssh`, `scp` and `sftp` alike; no file of the user's is read."""
        options = {
            "BatchMode": "yes", "ConnectTimeout": "15", "ServerAliveInterval": "15",
            "StrictHostKeyChecking": "accept-new", "LogLevel": "ERROR", "Port": str(self._port),
            "UserKnownHostsFile": f"{self._directory}/known_hosts",
            "ControlPath": f"{self._directory}/shared",
        }  # fmt: skip
        flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["-F", "none", "-i", f"{self._directory}/key", *flags]

    def share(self) -> None:
        """Hold a connection that all commands go through: each would pay seconds for its own."""
        self._shared = subprocess.Popen(
            self._ssh("-M", "-N"), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def unshare(self) -> None:
        """End it."""
        if self._shared:
            self._shared.terminate()
            self._shared.wait(10)

    def ssh(
        self, command: str, *, text: str | None = None, check: bool = True, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command in the machine, with `text` as its standard input."""
        try:
            done = subprocess.run(
                [*self._ssh(), command], input=text or "", capture_output=True, text=True,
                timeout=timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise self.error(f"{command}: not within {timeout:g} s", error.stdout) from None
        if check and done.returncode:
            raise self.error(f"{command}: exit {done.returncode}", done.stdout, done.stderr)
        return done

    def pipe(self, source: Sequence[str], command: str, *, timeout: float = 600) -> str:
        """Run `source` here and give what it writes to a shell command in the machine."""
        with subprocess.Popen(source, stdout=subprocess.PIPE) as local:
            try:
                done = subprocess.run(
                    [*self._ssh(), command], stdin=local.stdout, capture_output=True, text=True,
                    timeout=timeout, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise self.error(f"{command}: not within {timeout:g} s") from None
        if local.returncode or done.returncode:
            exits = f"{source[0]}: exit {local.returncode}; {command}: exit {done.returncode}"
            raise self.error(exits, done.stdout, done.stderr)
        return done.stdout

    @contextlib.contextmanager
    def forward(self, port: int, host: str = "127.0.0.1") -> Iterator[int]:
        """A port here that leads through SSH to one in the machine, as operators reach it."""
        here = free_port()
        # A connection of its own, with which the tunnel ends.
        options = ["-o", "ControlPath=none", "-o", "ExitOnForwardFailure=yes"]
        tunnel = subprocess.Popen(
            self._ssh("-N", *options, "-L", f"127.0.0.1:{here}:{host}:{port}")
        )
        try:
            eventually(lambda: _listens(here), within=60, every=0.5)
            yield here
        finally:
            tunnel.terminate()
            tunnel.wait(10)

    @abstractmethod
    def console(self, lines: int = 40) -> str:
        """Return the last lines of what the machine wrote to its console."""

    def error(self, message: str, *said: str | bytes | None) -> MachineError:
        """Return an error that shows what there is to see."""
        texts = [s.decode(errors="replace") if isinstance(s, bytes) else s for s in said]
        return MachineError("\n".join([message, *filter(None, texts), "console:", self.console()]))

    def _ssh(self, *options: str) -> list[str]:
        return ["ssh", *options, *self.ssh_options, f"{self.user}@{self.address}"]


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
