"""How QEMU is called: with KVM where it works, and an emulated processor where it does not."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.vm.image import base_image
from tests.vm.seed import LAN, UPLINK

PROCESSORS = 2
KVM = ["-accel", "kvm", "-cpu", "host"]
EMULATED = ["-accel", "tcg,thread=multi", "-cpu", "max"]
# mitigations=off: against another tenant, at a price, and there is none. preempt=none: what runs is
# interrupted less often, which an emulated processor does slowly.
KERNEL = "root=/dev/vda rw console=ttyS0 ds=nocloud mitigations=off preempt=none quiet"


@functools.cache
def accelerator() -> list[str]:
    """Return the options for KVM if the kernel comes up with it, else those for emulation.

    The device alone says little: some virtual machines have it and can run nothing.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return EMULATED
    kernel = [
        "-kernel",
        str(base_image().kernel),
        "-append",
        "console=ttyS0 panic=-1",
        "-no-reboot",
    ]
    board = ["-machine", "q35", "-m", "256", "-nodefaults", "-display", "none", "-serial", "stdio"]
    try:
        # It has no disk: it panics, and so ends.
        tried = subprocess.run(
            ["qemu-system-x86_64", *KVM, *board, *kernel],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return EMULATED
    return KVM if tried.returncode == 0 and b"Kernel panic" in tried.stdout else EMULATED


def command_line(
    disks: Mapping[str, Path], seed: Path, console: Path, *,
    memory: int, ssh_port: int, wire: int,
) -> list[str]:  # fmt: skip
    """Return the command. A disk is found in the guest as /dev/disk/by-id/virtio-NAME."""
    image = base_image()
    command = [
        # It ends with who started it, however that ends.
        "setpriv", "--pdeathsig", "TERM", "--",
        "qemu-system-x86_64", *accelerator(), "-machine", "q35", "-smp", str(PROCESSORS),
        "-m", str(memory), "-nodefaults", "-no-user-config", "-display", "none",
        "-serial", f"file:{console}",
        "-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", KERNEL,
        "-device", "virtio-rng-pci",
        # Out to the world, and SSH in. Nobody else comes this way.
        "-netdev", f"user,id=uplink,ipv6=off,hostfwd=tcp:127.0.0.1:{ssh_port}-:22",
        "-device", f"virtio-net-pci,netdev=uplink,mac={UPLINK}",
        "-netdev", f"tap,id=lan,fd={wire}",
        "-device", f"virtio-net-pci,netdev=lan,mac={LAN}",
    ]  # fmt: skip
    # What this computer would lose with its power is no loss: the disks end with the machine.
    for name, path in sorted(disks.items(), key=lambda disk: disk[0] != "system"):
        command += [
            "-drive", f"if=none,id={name},file={path},format=qcow2,cache=unsafe,discard=unmap",
            "-device", f"virtio-blk-pci,drive={name},serial={name}",
        ]  # fmt: skip
    return [
        *command,
        "-drive", f"if=none,id=seed,file={seed},format=raw,readonly=on",
        "-device", "virtio-blk-pci,drive=seed,serial=seed",
    ]  # fmt: skip
