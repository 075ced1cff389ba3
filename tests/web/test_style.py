"""The stylesheet's colours can be told apart, in light and in dark (WCAG 2.2: 1.4.3, 1.4.11)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app import web

CSS = Path(web.__file__).with_name("static").joinpath("clinic.css").read_text()
TEXT = 4.5
GRAPHICS = 3.0

TEXT_PAIRS = [
    *((text, ground) for text in ("text", "second", "link", "link-hover", "error")
      for ground in ("page", "card")),
    *((f"on-{name}", name) for name in ("bar", "button", "quiet", "danger", "success", "focus",
                                        "tag", "tag-green", "tag-grey")),
    *((f"on-{name}", f"{name}-hover") for name in ("button", "quiet", "danger")),
]  # fmt: skip
GRAPHIC_PAIRS = [("line", "card"), ("line", "page"), ("done", "page"), ("error", "page")]


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#\w+)", block))


LIGHT, DARK = (tokens(block) for block in re.findall(r":root \{([^}]*)\}", CSS)[:2])


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_wcags() -> None:
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", [LIGHT, LIGHT | DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "ground", "least"),
    [(*pair, TEXT) for pair in TEXT_PAIRS] + [(*pair, GRAPHICS) for pair in GRAPHIC_PAIRS],
)
def test_colours_can_be_told_apart(
    scheme: dict[str, str], front: str, ground: str, least: float
) -> None:
    assert contrast(scheme[front], scheme[ground]) >= least


def test_colours_are_only_named_in_tokens() -> None:
    rules = re.sub(r":root \{[^}]*\}", "", CSS.partition("@media print")[0])
    assert not re.findall(r"#[0-9a-f]{3,8}\b(?=[;, ])", rules)
    assert set(re.findall(r"var\(--([\w-]+)\)", CSS)) <= set(LIGHT)


def test_it_stays_small() -> None:
    assert len(CSS.splitlines()) < 250
