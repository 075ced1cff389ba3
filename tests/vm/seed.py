"""What a cloud tells its machine at the first boot: cloud-init's NoCloud, on a small disk."""

from __future__ import annotations

import subprocess
from pathlib import Path

UPLINK, LAN = "52:54:00:00:00:01", "52:54:00:00:00:02"  # the network cards' addresses
NETWORK = """\
version: 2
ethernets:
  uplink: {match: {macaddress: "%s"}, dhcp4: true}
  lan: {match: {macaddress: "%s"}, addresses: [%s]}
"""


def render(template: Path, user: str, key: str) -> str:
    """Return the user-data that both clouds are given, for this user and public key."""
    return template.read_text().replace("@USER@", user).replace("@SSH_KEY@", key.strip())


def write(directory: Path, user_data: str, name: str, address: str) -> Path:
    """Write the seed's image; `address` is that of the second card, as in 192.168.0.2/24."""
    folder = directory / "seed"
    folder.mkdir()
    (folder / "user-data").write_text(user_data)
    (folder / "meta-data").write_text(f"instance-id: {name}\nlocal-hostname: {name}\n")
    (folder / "network-config").write_text(NETWORK % (UPLINK, LAN, address))
    image = directory / "seed.iso"
    subprocess.run(
        ["genisoimage", "-quiet", "-output", image, "-volid", "cidata", "-joliet", "-rock", folder],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return image
