"""What the backups say of themselves, for node_exporter's textfile collector."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path("/var/lib/poolsight/metrics")


def publish(file: str, values: dict[str, float]) -> None:
    """Replace *file* by *values*: gauges, by name and labels as Prometheus writes them."""
    draft = FOLDER / f".{file}.draft"
    draft.write_text("".join(f"{name} {value}\n" for name, value in values.items()))
    draft.chmod(0o644)
    os.replace(draft, FOLDER / f"{file}.prom")
