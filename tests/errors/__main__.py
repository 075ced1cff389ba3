"""Raise an error of docs/errors.md: ``make reproduce ERROR=NAME``."""

from __future__ import annotations

import argparse
import os

from tests.errors import REPRODUCTIONS, server_for
from tests.errors.page import PAGE, entries


def main() -> None:
    """Print what it says, and where the page explains it."""
    parser = argparse.ArgumentParser(prog="make reproduce", description=__doc__)
    parser.add_argument("error", nargs="?", choices=sorted(REPRODUCTIONS), metavar="ERROR")
    name = parser.parse_args().error
    if not name:
        listed = "".join(f"\n  {one.name:28} {one.title}" for one in entries() if one.message)
        print(f"make reproduce ERROR=NAME, where NAME is one of:{listed}")  # noqa: T201
        return
    reproduction = REPRODUCTIONS[name]
    with server_for(reproduction.needs) as server:
        said = reproduction.run(server)
    print(f"\n{said}\n\nWhy, and what to do: {os.path.relpath(PAGE)}#{name}")  # noqa: T201


if __name__ == "__main__":
    main()
