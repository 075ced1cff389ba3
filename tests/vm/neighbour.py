"""Another machine on the guest's network: a network namespace at the other end of its second card.

Who scans from there comes from outside, past nothing but the guest's own firewall. It has a clock,
as clouds have one for their machines.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import struct
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from tests.vm.scan import Scan

ROOT = Path(__file__).parents[2]
ADDRESS, GUEST, PREFIX = "192.168.77.1", "192.168.77.2", 24
SET_INTERFACE, TAP, NO_PACKET_INFO = 0x400454CA, 0x0002, 0x1000  # of linux/if_tun.h


class Neighbour:
    """The namespace, and `descriptor`, the end of the wire that QEMU is given."""

    def __init__(self) -> None:
        unique = secrets.token_hex(4)
        self.name = f"poolsight-{unique}"
        self._card = f"vm{unique}"
        self.descriptor = -1

    def __enter__(self) -> Neighbour:
        self.descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        request = struct.pack("16sH22x", self._card.encode(), TAP | NO_PACKET_INFO)
        fcntl.ioctl(self.descriptor, SET_INTERFACE, request)
        _ip("netns", "add", self.name)
        _ip("link", "set", self._card, "netns", self.name)
        self.ip("link", "set", "lo", "up")
        self.ip("link", "set", self._card, "up")
        self.ip("address", "add", f"{ADDRESS}/{PREFIX}", "dev", self._card)
        clock = ["ip", "netns", "exec", self.name, sys.executable, "-m", "tests.vm.clock", ADDRESS]
        self._clock = subprocess.Popen(clock, cwd=ROOT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._clock.terminate()
        self._clock.wait(10)
        os.close(self.descriptor)
        subprocess.run(["ip", "netns", "delete", self.name], check=False, timeout=30)

    def ip(self, *arguments: str) -> str:
        """Run `ip` in the namespace."""
        return _ip("-netns", self.name, *arguments)

    def route(self, network: str) -> None:
        """Send what is for `network` to the guest, which nobody can keep a neighbour from doing."""
        self.ip("route", "replace", network, "via", GUEST)

    def run(
        self, *command: str, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the namespace."""
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *command],
            cwd=ROOT, capture_output=True, text=True, check=check, timeout=timeout,
        )  # fmt: skip

    def scan(self, address: str = GUEST, timeout: float = 300) -> Scan:
        """Try every TCP port of `address`; an IPv6 one of the link is given as fe80::1."""
        if address.startswith("fe80:"):
            address += f"%{self._card}"
        done = self.run(sys.executable, "-m", "tests.vm.scan", address, timeout=timeout)
        return Scan(**json.loads(done.stdout))


def _ip(*arguments: str) -> str:
    done = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr}")
    return done.stdout
