"""vm-setup/ against stand-ins of az, gcloud and ssh, which remember what they were told."""

from __future__ import annotations

import os
import shutil
import socketserver
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.vm_setup import azure, gcp
from tests.vm_setup.stand_in import RefusedError, StandIn, Thing

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHI1vUsIePTRDRxcOFvNIuAyYTNxs9gHZxC2W4ABXBxR me & you\n"
STEPS = ("network", "storage", "machine")
DRAFTS = ("custom-data", "metadata-from-file")  # files with a name of their own each time


class Cloud:
    """One account in a cloud, empty at first, and vm-setup's programs in it."""

    def __init__(self, kind: str, directory: Path, port: int, ssh_from: str) -> None:
        self.kind = kind
        made = {"azure": azure.Azure(azure.ACCOUNT), "gcp": gcp.Gcp(gcp.ACCOUNT)}
        self.account: StandIn = deepcopy(made[kind])
        self.directory = directory
        self.programs = directory / "programs"
        shutil.copytree(PROGRAMS, self.programs)
        (directory / "id.pub").write_text(KEY)
        self.environment = {
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(directory),
            "VM_SSH_KEY": str(directory / "id.pub"),
            "VM_SSH_FROM": ssh_from,
            "GCP_PROJECT": "clinic-test",
            "STAND_IN_PORT": str(port),
            "STAND_IN_SSH": str(directory),
        }

    @classmethod
    @contextmanager
    def of(cls, kind: str, directory: Path, ssh_from: str = "") -> Iterator[Cloud]:
        """One that answers meanwhile."""
        directory.mkdir(exist_ok=True)
        with _Server() as server:
            cloud = cls(kind, directory, server.server_address[1], ssh_from)
            server.account = cloud.account
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield cloud
            finally:
                server.ended.set()
                server.shutdown()
                thread.join()
                for tunnel in cloud.account.tunnels:
                    tunnel.close()

    def run(
        self, program: str, *arguments: str, text: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one of vm-setup's programs."""
        return subprocess.run(
            [ROOT / "vm-setup" / program, *arguments],
            env=self.environment | environment,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def up(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`vm-setup/up`, whole."""
        return self.run("up", self.kind, *options, **environment)

    def make(self) -> bool:
        """The cloud's steps without what follows on the machine: did all end well?"""
        return all(self.run(f"{self.kind}/{step}.sh").returncode == 0 for step in STEPS)

    def down(self, *options: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """`vm-setup/down`."""
        return self.run("down", self.kind, *options, text=text)

    @property
    def things(self) -> dict[str, Thing]:
        """What there is, by kind and name, with all that lasts of what it was told."""
        return {key: one | {"options": _lasting(one)} for key, one in self.account.things.items()}

    @property
    def changes(self) -> list[list[str]]:
        """The commands so far that change something."""
        return self.account.changes

    def fails(self, at: int, how: str) -> None:
        """Begin anew, and let this change fail, from 1: `before` it is made, or `half`-way."""
        self.account.things.clear()
        self.account.commands.clear()
        self.account.fail_at, self.account.how = at, how


def failures(cloud: Cloud, how: str, changes: Iterable[int]) -> dict[str, list[int]]:
    """Let each of these changes fail in turn.

    Returns: `differ`, after which a second run does not end in the same, and `left`, after which
    `down` leaves something.
    """
    cloud.fails(0, how)
    assert cloud.make()
    whole = cloud.things
    found: dict[str, list[int]] = {"differ": [], "left": []}
    for at in changes:
        cloud.fails(at, how)
        assert not cloud.make()
        cloud.account.fail_at = None
        broken = deepcopy(cloud.account.things)
        if not cloud.make() or cloud.things != whole:
            found["differ"].append(at)
        cloud.account.things = broken
        if cloud.down("--yes", "--with-backups").returncode or cloud.things:
            found["left"].append(at)
    return found


def _lasting(thing: Thing) -> dict[str, Any]:
    return {name: value for name, value in thing.get("options", {}).items() if name not in DRAFTS}


class _Server(socketserver.ThreadingTCPServer):
    account: StandIn
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Command)
        self.ended = Event()


class _Command(socketserver.StreamRequestHandler):
    """One command of az or gcloud: a number, and so many arguments, each ended by a zero."""

    server: _Server

    def handle(self) -> None:
        arguments = [self._word() for _ in range(int(self._word()))]
        try:
            said, status = self.server.account.run(arguments), "0"
        except RefusedError as refusal:
            said, status = f"ERROR: {refusal}", "1"
        if "tunnel" in arguments:  # which lasts until somebody ends it
            self.wfile.write(b"listens\n")
            self.server.ended.wait()
        else:
            self.wfile.write(f"{status}\n{said}\n".encode())

    def _word(self) -> str:
        word = bytearray()
        while (byte := self.rfile.read(1)) != b"\0":
            word += byte
        return word.decode()
