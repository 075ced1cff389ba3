"""What somebody should be told in time: the disk fills, a certificate or a signing key ends."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from metrics import publish
from server import DATA

CERTIFICATE = Path("/etc/mysql/poolsight/server_cert.pem")
SIGNING_KEY = Path("/etc/apt/keyrings/mysql.asc")


def publish_state() -> None:
    """Publish it, as gauges."""
    disk = shutil.disk_usage(DATA)
    expires = {"mysql": _certificate_ends(CERTIFICATE), "mysql apt key": _key_ends(SIGNING_KEY)}
    publish(
        "machine",
        {
            "clinic_data_disk_size_bytes": disk.total,
            "clinic_data_disk_free_bytes": disk.free,
            **{
                f'clinic_certificate_expires_timestamp_seconds{{name="{name}"}}': at
                for name, at in expires.items()
                if at is not None
            },
        },
    )


def _certificate_ends(path: Path) -> float | None:
    if not path.exists():
        return None
    said = _said("openssl", "x509", "-enddate", "-noout", "-in", str(path))
    end = datetime.strptime(said.partition("=")[2].strip(), "%b %d %H:%M:%S %Y GMT")
    return end.replace(tzinfo=UTC).timestamp()


def _key_ends(path: Path) -> float | None:
    if not path.exists():
        return None
    fields = _said("gpg", "--batch", "--show-keys", "--with-colons", str(path)).split(":")
    return float(fields[6]) if fields[6] else None  # of its first line, the key's own


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
