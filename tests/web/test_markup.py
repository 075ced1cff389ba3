"""What screen readers rely on: labels, names, one heading, and references that exist."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

import pytest

from tests.web.conftest import Visitor

PAGES = (
    "/slots",
    "/slots?date=nonsense&clinician=nobody",
    "/patient",
    "/appointments/1",
    "/appointments/1/cancel",
    "/appointments/1/move",
    "/nowhere",
)
VOID = {"meta", "link", "input", "br", "hr", "img"}


class Outline(HTMLParser):
    """The tags of a page, with their attributes; refuses tags that are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def values(self, attribute: str, *tags: str) -> list[str]:
        """The values of an attribute, of these tags or of all."""
        return [
            value
            for tag, attributes in self.tags
            if (value := attributes.get(attribute)) and (not tags or tag in tags)
        ]


@pytest.fixture(params=PAGES)
def outline(request: pytest.FixtureRequest, visitor: Visitor) -> Outline:
    return Outline(visitor.open(request.param).text)


def test_every_field_has_a_label(outline: Outline) -> None:
    fields = [
        attributes
        for tag, attributes in outline.tags
        if tag in ("input", "select", "textarea") and attributes.get("type") != "hidden"
    ]
    assert {field["id"] for field in fields} <= set(outline.values("for", "label"))


def test_ids_are_unique_and_references_exist(outline: Outline) -> None:
    ids = Counter(outline.values("id"))
    assert set(ids.values()) <= {1}
    local = [href[1:] for href in outline.values("href", "a") if href.startswith("#")]
    named = outline.values("aria-describedby") + outline.values("aria-labelledby")
    assert {name for names in named for name in names.split()} | set(local) <= set(ids)


def test_language_heading_and_main(outline: Outline) -> None:
    assert outline.values("lang", "html") == ["en"]
    count = Counter(tag for tag, _ in outline.tags)
    assert count["h1"] == count["main"] == count["title"] == 1
    assert count["table"] == count["caption"]


def test_header_cells_say_of_what(outline: Outline) -> None:
    cells = [attributes for tag, attributes in outline.tags if tag == "th"]
    assert all(cell.get("scope") in ("col", "row") for cell in cells)
