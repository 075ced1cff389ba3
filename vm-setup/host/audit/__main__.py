"""Look at every control: ``sudo python3 vm-setup/host/audit [--json]``.

Ends with 0 when none failed, 1 when one did, and 2 when nothing could be looked at.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

# Importing these registers their controls.
import accounts  # noqa: F401
import backup  # noqa: F401
import certificates  # noqa: F401
import files  # noqa: F401
import grants  # noqa: F401
import judged  # noqa: F401
import leftovers  # noqa: F401
import machine  # noqa: F401
import passwords  # noqa: F401
import report
import server  # noqa: F401
from controls import CONTROLS, evaluate
from facts import Database


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="audit", description="look at every control")
    parser.add_argument("--json", action="store_true", help="for a program")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        return _nothing("this looks at what only root sees: run it with sudo")
    try:
        database = Database.asked()
    except subprocess.CalledProcessError as error:
        return _nothing(f"MySQL does not answer root on its socket: {error.stderr.strip()}")
    except OSError as error:
        return _nothing(f"the mysql client does not run: {error}")
    rules = sorted(CONTROLS, key=lambda one: one.order)
    found = [(rule, evaluate(rule, database)) for rule in rules]
    print(report.as_json(found) if arguments.json else report.as_text(found, colour=_colour()))
    return 1 if report.counted(found)["fail"] else 0


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _nothing(why: str) -> int:
    print(f"error: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
