"""What a machine needs here: QEMU and what makes its disks, from Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "genisoimage": "genisoimage",
    "ssh": "openssh-client",
    "ip": "iproute2",
    "setpriv": "util-linux",
}


class UnavailableError(RuntimeError):
    """No machine can be had here, and why."""


def require(programs: Mapping[str, str] = PROGRAMS) -> None:
    """Install what is missing.

    Raises:
        UnavailableError: this is not root's, or not a Debian, so that somebody else must do it.
    """
    if os.geteuid() != 0:
        raise UnavailableError(
            "a virtual machine needs root: its disk image, and its neighbour's network"
        )
    if not os.path.exists("/dev/net/tun"):
        raise UnavailableError("/dev/net/tun is missing, and with it the machine's network")
    missing = absent(programs)
    if not missing:
        return
    if shutil.which("apt-get"):
        print(f"Installing {' '.join(missing)} with apt")  # noqa: T201
        install(missing)
    if missing := absent(programs):
        raise UnavailableError(f"please install {' '.join(missing)}, then try again")


def absent(programs: Mapping[str, str]) -> list[str]:
    """Return the packages of those programs that are not here."""
    return [package for program, package in programs.items() if not shutil.which(program)]


def run(*command: str, timeout: float = 900) -> str:
    """Run a command; return its output, or raise with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def install(packages: list[str]) -> None:
    """Install Debian packages; what could not be is told by :func:`absent`."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        subprocess.run([*apt, *command], env=environment, timeout=900, check=False)
