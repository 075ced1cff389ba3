"""What docs/errors.md says of each error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.errors import (  # noqa: F401  they register their reproductions
    connections,
    programs,
    schema,
    statements,
)

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
PARTS = ("Cause", "On the dashboard", "Fix", "Here")
_ENTRY = re.compile(
    r"^### (?P<name>[a-z-]+)\n\n(?P<title>[^\n]+)\n(?P<rest>.*?)(?=^##|\Z)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Entry:
    """An error of the page; in its message, … stands for what is different each time."""

    name: str
    title: str
    message: str | None
    parts: dict[str, str]
    text: str

    def matches(self, said: str) -> bool:
        """Is its message in what was said?"""
        pattern = ".*?".join(re.escape(part.strip()) for part in (self.message or "").split("…"))
        return bool(re.search(pattern, _spaces(said), re.DOTALL))


def entries() -> Iterator[Entry]:
    """All of the page's, in its order."""
    for found in _ENTRY.finditer(PAGE.read_text()):
        code = re.search(r"^```text\n(.*?)\n```", found["rest"], re.MULTILINE | re.DOTALL)
        parts = dict(
            re.findall(
                r"^- \*\*(.+?)\*\*: (.+?)(?=^- \*\*|^$|\Z)", found["rest"], re.MULTILINE | re.DOTALL
            )
        )
        yield Entry(
            found["name"], found["title"], _spaces(code[1]) if code else None, parts, found[0]
        )


def _spaces(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
