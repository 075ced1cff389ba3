"""The notebooks are run from top to bottom, and kept with their outputs beside their scripts."""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import Any

from loadtest.lab.database import PrivateDatabase
from tests.drills import RESULTS, record

NOTEBOOKS = RESULTS.parents[1] / "notebooks"
MINUTES = 10  # for all of them


def main() -> None:
    """Run each, keep it, and record how long it took."""
    seconds = {path.stem: _run(path) for path in sorted(NOTEBOOKS.glob("*.py"))}
    whole = sum(seconds.values())
    findings = {"seconds": seconds, "all": whole}
    with PrivateDatabase.running() as server:
        name = server.name
    record("notebooks", whole < 60 * MINUTES, name, findings)


def _run(script: Path) -> int:
    print(script.name, flush=True)  # noqa: T201
    began = time.monotonic()
    # They are of an environment that not every test has.
    jupytext: Any = import_module("jupytext")
    nbclient: Any = import_module("nbclient")
    notebook = jupytext.read(script)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": NOTEBOOKS.parent}}
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran, which changes every time
    jupytext.write(notebook, script.with_suffix(".ipynb"))
    return round(time.monotonic() - began)


if __name__ == "__main__":
    main()
