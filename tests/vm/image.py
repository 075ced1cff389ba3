"""The disk of a cloud's machine, before its first boot: Debian 13 with cloud-init and nothing else.

Built once and kept in the user's cache by a digest of what it is made from.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.vm.neighbour import ADDRESS
from tests.vm.programs import UnavailableError, run

SUITE = "trixie"
SIZE = "12G"  # sparse
CERTIFICATES = Path("/usr/local/share/ca-certificates")
# As on the clouds' own images, in the last line Ubuntu's: an emulated processor installs them in
# five minutes. e2fsprogs, as cloud-init grows the file system at every boot.
PACKAGES = (
    "linux-image-cloud-amd64", "initramfs-tools", "systemd", "systemd-sysv", "systemd-resolved",
    "systemd-timesyncd", "libpam-systemd", "dbus", "udev", "kmod", "netplan.io", "iproute2",
    "cloud-init", "openssh-server", "sudo", "e2fsprogs", "ca-certificates", "curl", "python3",
    "apparmor", "gpgv", "less", "procps", "zstd",
    "gnupg", "logrotate", "unattended-upgrades", "xfsprogs",
)  # fmt: skip
# How this machine reaches its mirror, the guest must too.
APT_SETTINGS = ("Acquire::Check-", "Acquire::http", "Acquire::https", "Acquire::Retries")
FILES = {
    "etc/hostname": "machine\n",
    "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
    "etc/systemd/timesyncd.conf.d/neighbour.conf": f"[Time]\nNTP={ADDRESS}\n",
    # Nothing to look for elsewhere, and no keys that take an emulated processor long.
    "etc/cloud/cloud.cfg.d/90-machine.cfg": (
        "datasource_list: [NoCloud]\nssh_genkeytypes: [ed25519]\n"
    ),
}
# Before the kernel's package makes its initial RAM disk: with the drivers of this one machine.
INITRAMFS = (
    'd="$1/etc/initramfs-tools/conf.d"; mkdir -p "$d"; echo MODULES=list >"$d/machine";'
    ' d="$1/usr/share/initramfs-tools/modules.d"; mkdir -p "$d";'
    " printf '%s\\n' virtio_pci virtio_blk ext4 >\"$d/machine\""
)


@dataclass(frozen=True)
class Image:
    """A disk without partitions, and the kernel that boots it."""

    disk: Path
    kernel: Path
    initrd: Path


def cache() -> Path:
    """Return the folder of what takes long to make."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "poolsight-vm"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@functools.cache
def base_image() -> Image:
    """Return the image, and build it first where it is not in the cache: a minute or two."""
    arguments = _recipe()
    digest = hashlib.sha256(
        "\0".join([*arguments, SIZE, *map(str, FILES.items()), *_certificates()]).encode()
    ).hexdigest()
    final = cache() / f"base-{digest[:16]}"
    if not final.exists():
        with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as directory:
            _build(Path(directory), arguments)
            (Path(directory) / "image").rename(final)
    return Image(final / "disk.raw", final / "vmlinuz", final / "initrd")


def mirror() -> str:
    """Return the address of Debian's archive, as this machine's apt knows it."""
    return _sources()[0].split()[1]


def make_disk(root: Path, disk: Path, size: str) -> None:
    """Make a disk without partitions that holds the folder `root`."""
    run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(disk), size)


def sources(releases: Iterable[str], codename: str) -> list[str]:
    """Return the guest's lines for sources.list, given this machine's as "URI suite".

    >>> sources(["http://mirror/debian bookworm", "http://else/x stable"], "bookworm")
    ['deb http://mirror/debian trixie main']
    """
    wanted = {f"{codename}{suffix}": SUITE + suffix for suffix in ("", "-updates", "-security")}
    pairs = dict.fromkeys(tuple(release.split()) for release in releases)
    return [f"deb {uri} {wanted[suite]} main" for uri, suite in pairs if suite in wanted]


def _sources() -> list[str]:
    if given := os.environ.get("VM_DEBIAN_MIRROR"):
        return [f"deb {given} {SUITE} main"]
    targets = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)")
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    lines = sources(targets.splitlines(), codename)
    if not lines:
        raise UnavailableError("apt knows no mirror of Debian here: set VM_DEBIAN_MIRROR to one")
    return lines


def _recipe() -> list[str]:
    """Return mmdebstrap's arguments, with @TARGET@ for where to put it."""
    settings = [
        f"--aptopt={line}" for line in run("apt-config", "dump").splitlines()
        if line.startswith(APT_SETTINGS) and not line.endswith('"";')
    ]  # fmt: skip
    certificates = [f"--essential-hook=copy-in {CERTIFICATES} {CERTIFICATES.parent}"]
    return [
        "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}",
        f"--essential-hook={INITRAMFS}", *(certificates if _certificates() else []),
        *settings, SUITE, "@TARGET@", *_sources(),
    ]  # fmt: skip


def _build(directory: Path, arguments: list[str]) -> None:
    """Make the disk of `arguments` in `directory`/image."""
    root, image = directory / "root", directory / "image"
    print("Building the machine's disk image")  # noqa: T201
    run("mmdebstrap", *(str(root) if a == "@TARGET@" else a for a in arguments))
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    resolver = root / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.symlink_to("../run/systemd/resolve/stub-resolv.conf")
    image.mkdir()
    shutil.copy(next((root / "boot").glob("vmlinuz-*")), image / "vmlinuz")
    shutil.copy(next((root / "boot").glob("initrd.img-*")), image / "initrd")
    make_disk(root, image / "disk.raw", SIZE)


def _certificates() -> list[str]:
    """Return this machine's own authorities, which what it reaches may be signed by."""
    return [file.read_text() for file in sorted(CERTIFICATES.glob("*.crt"))]
