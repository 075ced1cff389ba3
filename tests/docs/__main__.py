"""Run the documentation's commands that are marked so: ``make docs-check``."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.docs.pages import ROOT, pages

MINUTES = 5


def main() -> int:
    """Run each once, from the project's directory; return 1 when one of them failed."""
    entries = tomllib.loads((Path(__file__).parent / "commands.toml").read_text())["command"]
    wanted = [entry["is"] for entry in entries if entry.get("run")]
    failed = 0
    for command in dict.fromkeys(command for page in pages() for command in page.commands):
        if any(re.fullmatch(one, command) for one in wanted):
            done = subprocess.run(
                ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False,
                timeout=60 * MINUTES,
            )  # fmt: skip
            failed += done.returncode != 0
            print(f"{'FAILED' if done.returncode else 'ok    '} {command}", flush=True)  # noqa: T201
            if done.returncode:
                print(done.stdout[-2000:], done.stderr[-2000:])  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
