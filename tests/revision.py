"""Write a revision for what models.py says anew: ``make revision MESSAGE="what and why"``.

On a private database at the newest revision, so that nothing has to run and nothing is changed but
``migrations/versions/``. Then the guard says what it would do with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from loadtest.lab.database import PrivateDatabase

ROOT = Path(__file__).resolve().parent.parent


def main(message: str) -> int:
    """Write the revision and show its plan; how the first command that failed ended, or 0."""
    if not message:
        sys.exit('A revision needs a message: make revision MESSAGE="what and why"')
    with PrivateDatabase.running() as database:
        environment = {
            **os.environ,
            **database.environment("migrator"),
            "CLINIC_LOG_LEVEL": "WARNING",
        }

        def flask(*words: str, quiet: bool = False) -> int:
            command = [sys.executable, "-m", "flask", "--app", "app", *words]
            return subprocess.run(
                command, cwd=ROOT, env=environment, check=False, capture_output=quiet
            ).returncode

        if failed := flask("db", "upgrade"):
            return failed
        if not flask("db", "check", quiet=True):
            print("models.py says nothing that migrations/ do not: nothing is written.")  # noqa: T201
            return 0
        return flask("db", "migrate", "-m", message) or flask("schema", "plan")


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:]).strip()))
