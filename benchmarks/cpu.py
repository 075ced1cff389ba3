"""CPU time, as Linux counts it in ``/proc``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")  # a second


def children_seconds(parent: int) -> float:
    """User and system time of all living children of the process *parent*."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return sum(map(_seconds, children))


def busy_and_all() -> tuple[float, float]:
    """Seconds that this machine's processors were busy, and that there were."""
    times = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, waiting = times[3:5]
    return (sum(times) - idle - waiting) / TICKS, sum(times) / TICKS


def _seconds(pid: str) -> float:
    # The command's name, in parentheses, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
