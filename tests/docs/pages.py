"""The documentation as data: its pages, links, commands and figures."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"<!-- quoted: .*?<!-- end -->", re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A Markdown file of the repository."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def links(self) -> list[str]:
        """What its links and images point to."""
        return LINK.findall(FENCE.sub("", self.text))

    @property
    def anchors(self) -> set[str]:
        """What a link to one of its headings is called."""
        heads = re.findall(r"^#+ (.+)$", FENCE.sub("", self.text), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}

    @property
    def commands(self) -> list[str]:
        """The lines of its shell examples, without comments and prompts."""
        found = []
        for language, code in FENCE.findall(self.text):
            if language == "sh":
                joined = code.replace("\\\n", " ")
                lines = (re.sub(r"\s+#( .*)?$", "", line).strip() for line in joined.splitlines())
                found += [line for line in lines if line and not line.startswith("#")]
        return found

    @property
    def prose(self) -> str:
        """Its text without code, links' targets and what drills wrote."""
        text = QUOTED.sub("", FENCE.sub("", self.text))
        return re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)


def pages() -> list[Page]:
    """All of them that are kept, in their order."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [Page(ROOT / name) for name in sorted(listed.split()) if "images/" not in name]
