"""Write the dashboards' JSON, which is committed, from the Python beside this file.

python -m monitoring.grafana.generate            write
python -m monitoring.grafana.generate --check    exit 1 when what is committed differs
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.grafana import pool

FOLDER = Path(__file__).parent / "dashboards"


def main(arguments: list[str]) -> int:
    """Write or check every dashboard; return the exit status."""
    # File provisioning takes the classic model only, which the library would see replaced.
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    stale = 0
    for name, text in {"pool": render(pool.dashboard())}.items():
        path = FOLDER / f"{name}.json"
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if arguments != ["--check"]:
            path.write_text(text)
        sys.stdout.write(f"{path.name}: changed\n")
    return 1 if stale and arguments == ["--check"] else 0


def render(dashboard: Dashboard) -> str:
    """Return `dashboard` as JSON, each row and panel with a number of its own."""
    model = dashboard.build()
    for number, panel in enumerate(model.panels or [], start=1):
        panel.id_val = number
    return JSONEncoder(sort_keys=True, indent=2).encode(model) + "\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
