"""A virtual machine that lives as long as a `with`."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from loadtest.lab.ports import free_port
from tests.vm import seed
from tests.vm.docker_disk import docker_disk
from tests.vm.image import base_image
from tests.vm.neighbour import GUEST, PREFIX, Neighbour
from tests.vm.programs import require, run
from tests.vm.qemu import command_line
from tests.vm.remote import MachineError, Remote

BOOT = 600.0  # seconds until SSH answers, at most
POLL = 1.0
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
MOUNT_IMAGES = """set -e
sudo mkdir -p /var/lib/docker
echo '/dev/disk/by-id/virtio-images /var/lib/docker ext4 nofail 0 2' | sudo tee -a /etc/fstab
sudo systemctl daemon-reload
sudo mount /var/lib/docker"""


class Machine(Remote):
    """A machine with a blank second disk, and `neighbour`, who shares a network with it.

    `user_data` makes cloud-init's user-data from a public key; in it is `user`, with that key and
    sudo. `images` of this computer's Docker are those of the machine's, once it is installed there.
    """

    def __init__(
        self, user_data: Callable[[str], str], user: str = "ops", *, name: str = "poolsight",
        memory: int = 4096, data_disk: str = "8G", images: Sequence[str] = (),
        console: Path | None = None,
    ) -> None:  # fmt: skip
        self._user_data, self._name, self._images = user_data, name, images
        self._memory, self._data_disk = memory, data_disk
        self._cleanup = contextlib.ExitStack()
        scratch = tempfile.TemporaryDirectory(prefix="vm-")
        super().__init__(Path(self._cleanup.enter_context(scratch)), user, free_port())
        self._console = console or self._directory / "console.log"
        self._refusal = ""  # why SSH did not answer when last tried
        self.neighbour = Neighbour()

    def __enter__(self) -> Machine:
        with self._cleanup:
            require()
            self._cleanup.enter_context(self.neighbour)
            self._start(self._disks())
            self._until(lambda: self._answers("true") is not None, BOOT, "SSH does not answer")
            self._cleanup.callback(self.unshare)
            self.share()
            if self._images:
                self.ssh(MOUNT_IMAGES)
            self._cleanup = self._cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._cleanup.close()

    def console(self, lines: int = 40) -> str:
        """Return the last lines of what the machine wrote to its serial console."""
        text = self._console.read_text(errors="replace") if self._console.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def reboot(self, timeout: float = BOOT) -> float:
        """Boot again; return the seconds until SSH answered."""
        began, before = time.monotonic(), self.ssh(BOOT_ID).stdout
        self.ssh("sudo systemctl reboot", check=False)
        self.unshare()
        self._until(
            lambda: self._answers(BOOT_ID) not in (None, before), timeout, "no second boot"
        )  # fmt: skip
        self.share()
        return time.monotonic() - began

    def _disks(self) -> dict[str, Path]:
        backing = {"system": base_image().disk}
        if self._images:
            backing["images"] = docker_disk(self._images)
        disks = {"data": self._directory / "data.qcow2"}
        run("qemu-img", "create", "-q", "-f", "qcow2", str(disks["data"]), self._data_disk)
        for name, base in backing.items():
            disks[name] = self._directory / f"{name}.qcow2"
            onto = ("-b", str(base), "-F", "raw", str(disks[name]))
            run("qemu-img", "create", "-q", "-f", "qcow2", *onto)
        return disks

    def _start(self, disks: dict[str, Path]) -> None:
        key = self._directory / "key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        user_data = self._user_data(key.with_suffix(".pub").read_text())
        cloud = seed.write(self._directory, user_data, self._name, f"{GUEST}/{PREFIX}")
        wire = self.neighbour.descriptor
        command = command_line(
            disks, cloud, self._console, memory=self._memory, ssh_port=self._port, wire=wire
        )
        log = self._cleanup.enter_context((self._directory / "qemu.log").open("w"))
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[wire]
        )
        self._cleanup.callback(self._stop)

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def _answers(self, command: str) -> str | None:
        """Return what a command says; None when SSH does not answer."""
        try:
            return self.ssh(command, timeout=60).stdout
        except MachineError as error:
            self._refusal = str(error).partition("\nconsole:")[0]
            return None

    def _until(self, holds: Callable[[], bool], within: float, otherwise: str) -> None:
        deadline = time.monotonic() + within
        while not holds():
            if self._process.poll() is not None:
                said = (self._directory / "qemu.log").read_text()
                raise self.error(f"QEMU ended with {self._process.returncode}", said)
            if time.monotonic() > deadline:
                raise self.error(f"{otherwise} within {within:g} s", self._refusal)
            time.sleep(POLL)
