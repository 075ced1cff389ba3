"""Photograph the dashboards during the last spike, the last outage and the last migration.

python -m monitoring.screenshots http://127.0.0.1:3000

The pictures are a laptop's first screen. They go to docs/images/grafana/, beside pages that say
what they show; nothing is written when something did not happen, or a panel is in error.
"""

from __future__ import annotations

import json
import shutil
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from itertools import product
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Error, ViewportSize, expect, sync_playwright

MONITORING = Path(__file__).parent
DASHBOARDS = {
    path.stem: json.loads(path.read_text())
    for path in sorted((MONITORING / "grafana/dashboards").glob("*.json"))
    if path.stem != "fleet"  # of several machines: empty on one
}
PICTURES = MONITORING.parent / "docs/images/grafana"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCREEN = ViewportSize(width=1440, height=900)  # a laptop's
SHOWN_WITHIN = 30_000  # milliseconds
BEFORE, AFTER = 30, 60  # seconds around what happened
STEP = 5
LOOK_BACK = "12h"


@dataclass(frozen=True)
class Occasion:
    """Something to be seen on dashboards.

    Attributes:
        title: of its page.
        seen: PromQL that has a value while it happens.
        caused_by: the command that makes it happen.
        dashboards: which show it, each in all themes.
    """

    name: str
    title: str
    seen: str
    caused_by: str
    dashboards: tuple[str, ...]
    themes: tuple[str, ...]


def _profile(name: str) -> str:
    return f'locust_profile_info{{profile="{name}"}}'


OCCASIONS: Final = (
    Occasion(
        "spike", "The profile spike, and what was around it",
        _profile("spike"), "docker compose run --rm loadtest spike",
        tuple(DASHBOARDS), ("dark", "light"),
    ),
    Occasion(
        "database-restart", "MySQL is killed under load, and started again",
        _profile("database-restart"),
        ".venv/bin/python -m loadtest run database-restart --target compose",
        ("overview", "pool", "mysql"), ("dark",),
    ),
    Occasion(
        "migration", "A migration under load: its mark on the time axis, and nothing else",
        "clinic_migration_last_started_timestamp_seconds > time() - 60",
        "docker compose run --rm --no-deps migrate 'flask db downgrade -1 && flask db upgrade'",
        ("overview", "pool"), ("dark",),
    ),
)  # fmt: skip


class NotShownError(Exception):
    """What was to be photographed is not there; the message says what to do."""


def main(grafana: str) -> None:
    """Find what happened, photograph, write."""
    try:
        made = {occasion: _photographs(grafana, occasion) for occasion in OCCASIONS}
    except NotShownError as problem:
        sys.exit(str(problem))
    PICTURES.mkdir(parents=True, exist_ok=True)
    for occasion, (text, pictures) in made.items():
        for name, picture in pictures.items():
            (PICTURES / f"{name}.png").write_bytes(picture)
        (PICTURES / f"{occasion.name}.md").write_text(text)


def _photographs(grafana: str, occasion: Occasion) -> tuple[str, dict[str, bytes]]:
    begin, end = last_time(grafana, occasion)
    return page(occasion, begin, end), dict(photographs(grafana, occasion, begin, end))


def last_time(grafana: str, occasion: Occasion) -> tuple[float, float]:
    """Return from when until when to look at what happened last, seconds since 1970.

    Raises:
        NotShownError: Grafana does not answer, or its Prometheus saw nothing of it.
    """
    seen = f"timestamp({occasion.seen})[{LOOK_BACK}:{STEP}s]"
    times = sorted(
        {float(scraped) for series in _ask(grafana, seen) for _, scraped in series["values"]}
    )
    if not times:
        raise NotShownError(
            f"Prometheus has seen no {occasion.name} in the last {LOOK_BACK}. "
            f"Cause it first: {occasion.caused_by}"
        )
    begin = end = times[-1]
    for moment in reversed(times):
        if begin - moment > AFTER:
            break
        begin = moment
    return begin - BEFORE, end + AFTER


def photographs(
    grafana: str, occasion: Occasion, begin: float, end: float
) -> Iterator[tuple[str, bytes]]:
    """Yield a picture of each dashboard from `begin` to `end`, by its file's name.

    Raises:
        NotShownError: there is no browser, a dashboard does not come, or a panel is in error.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise NotShownError(f"A browser is missing. Install one of: {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for name, theme in product(occasion.dashboards, occasion.themes):
            try:
                picture = photograph(browser, grafana, name, theme, begin, end)
            except (AssertionError, Error) as error:
                raise NotShownError(f"The dashboard {name!r} did not come: {error}") from error
            yield f"{occasion.name}-{name}-{theme}", picture


def photograph(
    browser: Browser, grafana: str, name: str, theme: str, begin: float, end: float
) -> bytes:
    """Return the first screen of a dashboard as PNG, when all its panels have come."""
    span = {"from": f"{begin * 1000:.0f}", "to": f"{end * 1000:.0f}", "timezone": "utc"}
    query = urllib.parse.urlencode(span | {"theme": theme, "kiosk": "true"})
    first = next(panel for panel in DASHBOARDS[name]["panels"] if panel["type"] != "row")
    shown = browser.new_page(viewport=SCREEN)
    try:
        shown.goto(f"{grafana}/d/{name}?{query}", wait_until="networkidle")
        title = shown.get_by_text(first["title"], exact=True)
        expect(title).to_be_visible(timeout=SHOWN_WITHIN)
        loading = shown.get_by_label("Panel loading bar")
        expect(loading).to_have_count(0, timeout=SHOWN_WITHIN)
        wrong = shown.get_by_test_id("data-testid Panel status error")
        if wrong.count():
            raise NotShownError(f"{name}: {wrong.count()} panels are in error. Open {shown.url}")
        return shown.screenshot()
    finally:
        shown.close()


def page(occasion: Occasion, begin: float, end: float) -> str:
    """Return the page that says what the pictures show."""
    first, last = (datetime.fromtimestamp(moment, UTC) for moment in (begin, end))
    pictures = "\n".join(
        f"![{name}, {theme}]({occasion.name}-{name}-{theme}.png)"
        for name, theme in product(occasion.dashboards, occasion.themes)
    )
    return (
        f"# {occasion.title}\n\n"
        f"{first:%Y-%m-%d %H:%M:%S} to {last:%H:%M:%S} UTC. Caused by `{occasion.caused_by}`, "
        f"pictured by `make screenshots`.\n\n{pictures}\n"
    )


def _ask(grafana: str, query: str) -> list[dict[str, Any]]:
    path = "/api/datasources/proxy/uid/prometheus/api/v1/query?"
    try:
        url = grafana + path + urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the user's own
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found
    except (OSError, HTTPException, ValueError, LookupError) as error:
        raise NotShownError(
            f"No Grafana with the stack's Prometheus at {grafana}: {error}"
        ) from error


if __name__ == "__main__":
    main(sys.argv[1])
