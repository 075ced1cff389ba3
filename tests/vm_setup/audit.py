"""The audit's own modules, for tests: they are no package, as a VM runs them where they lie."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "vm-setup" / "host" / "audit"


def modules() -> dict[str, ModuleType]:
    """All of them by name. Others of the same names stay what they are in this process."""
    names = [path.stem for path in FOLDER.glob("*.py") if path.stem != "__main__"]
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(FOLDER))
    try:
        return {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(FOLDER))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(kept)


AUDIT = modules()
