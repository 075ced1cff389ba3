"""A newcomer's path, timed: from a clone to a report, to dashboards, to a migration of one's own.

What has to be fetched is counted as far as it is not here: Python packages are installed and the
project's images built anew, but base images are those that Docker has.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.drills import record
from tests.stack.stack import GRAFANA_IMAGE, ROOT, Stack, has_image
from tests.waiting import eventually

MINUTES = {"a report": 5, "the dashboards": 10, "a migration": 20}  # from the clone, each
COLUMN = "    nickname: Mapped[str | None] = mapped_column(String(60))\n"
AFTER = "    born: Mapped[date]\n"
POOL = "sum(db_client_connection_max)"


def main() -> None:
    """Walk it, and record how long each part took."""
    with tempfile.TemporaryDirectory() as directory:
        clone = Path(directory) / "clone"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        stack = Stack("poolsight-newcomer", has_image(GRAFANA_IMAGE), directory=clone)
        try:
            seconds = {
                "a report": _timed(lambda: _report(clone)),
                "the dashboards": _timed(lambda: _dashboards(stack)),
                "a migration": _timed(lambda: _migration(clone, stack)),
            }
            version = stack.sql("SELECT VERSION()")[0][0]
        finally:
            stack.down()
    passed = all(seconds[part] < 60 * minutes for part, minutes in MINUTES.items())
    findings = {"seconds": seconds, "minutes allowed": MINUTES, "with Grafana": stack.grafana}
    record("newcomer", passed, f"MySQL {version}", findings)


def _timed(part: Callable[[], None]) -> int:
    began = time.monotonic()
    part()
    return round(time.monotonic() - began)


def _report(clone: Path) -> None:
    _make(clone, "demo")
    assert list(clone.glob("runs/*/report.html"))


def _dashboards(stack: Stack) -> None:
    stack.compose("build", "--no-cache", timeout=600)
    stack.up()
    eventually(lambda: stack.value(POOL), within=60)


def _migration(clone: Path, stack: Stack) -> None:
    models = clone / "app/clinic/models.py"
    text = models.read_text()
    assert text.count(AFTER) == 1
    models.write_text(text.replace(AFTER, AFTER + COLUMN))
    # As from a clone: what `make demo` installed would be installed now.
    _make(clone, "clean")
    _make(clone, "revision", "MESSAGE=Patients may have a nickname")
    stack.compose("build", timeout=600)
    stack.up()
    columns = "SELECT 1 FROM information_schema.columns WHERE column_name = 'nickname'"
    assert stack.sql(columns) == [["1"]]


def _make(clone: Path, *arguments: str) -> None:
    # Of the make that runs this drill nothing is for its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", *arguments],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]


if __name__ == "__main__":
    main()
