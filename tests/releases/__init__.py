"""Releases of before, to run beside this one: see README.md."""

from __future__ import annotations

import tarfile
from pathlib import Path

PREVIOUS = Path(__file__).parent / "0003.tar.gz"
PREVIOUS_SCHEMA = "0003"


def unpack(archive: Path, directory: Path) -> Path:
    """Unpack a release into *directory*; return that."""
    with tarfile.open(archive) as packed:
        packed.extractall(directory, filter="data")
    return directory
