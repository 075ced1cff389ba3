"""Files that are whole or not there."""

import json
from pathlib import Path
from typing import Any


def replace_json(path: Path, data: Any) -> None:
    """Write *data* to *path*, in place of an older file only when it is complete.

    Raises OSError when it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(data, indent=1))
    part.replace(path)
