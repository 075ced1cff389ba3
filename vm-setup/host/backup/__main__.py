"""Back up and recover: ``sudo python3 vm-setup/host/backup COMMAND``.

dump       everything, consistently, into the repository; old ones go by the retention
binlogs    the binary logs up to now; and how the disk and the certificates are
drill      restore the newest dump and the binary logs elsewhere, and compare with what runs
recover    the clinic as it was at a second: --until '2026-11-26 12:00:00' [--in-place]
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

import archive
import drill
import machine
import recover
from errors import BackupError


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="backup", description=__doc__.partition("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("dump", help="everything, consistently, into the repository")
    commands.add_parser("binlogs", help="the binary logs up to now, into the repository")
    commands.add_parser("drill", help="restore elsewhere, and compare with what runs")
    back = commands.add_parser("recover", help="the clinic as it was at a second")
    back.add_argument("--until", type=_utc, required=True, help="UTC, '2026-11-26 12:00:00'")
    back.add_argument(
        "--in-place", action="store_true", help="instead of what runs; the application stops for it"
    )
    arguments = parser.parse_args()
    try:
        match arguments.command:
            case "dump":
                archive.dump()
            case "binlogs":
                machine.publish_state()
                archive.binlogs()
            case "drill":
                drill.run()
            case "recover":
                recover.run(arguments.until, in_place=arguments.in_place)
    except BackupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC, microsecond=0)


if __name__ == "__main__":
    raise SystemExit(main())
