"""Photograph every dashboard during the last spike, in the dark and the light theme.

python -m monitoring.screenshots http://127.0.0.1:3000

The pictures are a laptop's first screen. They go to docs/images/grafana/, beside a page that says
what they show; nothing is written when a panel on one of them is in error.
"""

from __future__ import annotations

import json
import shutil
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
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
}
PICTURES = MONITORING.parent / "docs/images/grafana"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
THEMES: Final = ("dark", "light")
SCREEN = ViewportSize(width=1440, height=900)  # a laptop's
SHOWN_WITHIN = 30_000  # milliseconds
PROFILE: Final = "spike"
BEFORE, AFTER = 30, 60  # seconds around the run
STEP = 5
LOOK_BACK = "12h"


class NotShownError(Exception):
    """What was to be photographed is not there; the message says what to do."""


def main(grafana: str) -> None:
    """Find the run, photograph, write."""
    try:
        begin, end = last_run(grafana)
        pictures = dict(photographs(grafana, begin, end))
    except NotShownError as problem:
        sys.exit(str(problem))
    PICTURES.mkdir(parents=True, exist_ok=True)
    for (name, theme), picture in pictures.items():
        (PICTURES / f"{PROFILE}-{name}-{theme}.png").write_bytes(picture)
    (PICTURES / f"{PROFILE}.md").write_text(page(begin, end))


def last_run(grafana: str) -> tuple[float, float]:
    """Return from when until when to look at the last run, seconds since 1970.

    Raises:
        NotShownError: Grafana does not answer, or its Prometheus saw no run.
    """
    seen = f'timestamp(locust_profile_info{{profile="{PROFILE}"}})[{LOOK_BACK}:{STEP}s]'
    times = sorted(
        {float(scraped) for series in _ask(grafana, seen) for _, scraped in series["values"]}
    )
    if not times:
        raise NotShownError(
            f"Prometheus has seen no run of the profile {PROFILE!r} in the last {LOOK_BACK}. "
            f"Run it first: docker compose run --rm loadtest {PROFILE}"
        )
    begin = end = times[-1]
    for moment in reversed(times):
        if begin - moment > AFTER:
            break
        begin = moment
    return begin - BEFORE, end + AFTER


def photographs(grafana: str, begin: float, end: float) -> Iterator[tuple[tuple[str, str], bytes]]:
    """Yield a picture of every dashboard from `begin` to `end`, by its name and theme.

    Raises:
        NotShownError: there is no browser, a dashboard does not come, or a panel is in error.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise NotShownError(f"A browser is missing. Install one of: {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for name, theme in product(DASHBOARDS, THEMES):
            try:
                yield (name, theme), photograph(browser, grafana, name, theme, begin, end)
            except (AssertionError, Error) as error:
                raise NotShownError(f"The dashboard {name!r} did not come: {error}") from error


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


def page(begin: float, end: float) -> str:
    """Return the page that says what the pictures show."""
    first, last = (datetime.fromtimestamp(moment, UTC) for moment in (begin, end))
    pictures = "\n".join(
        f"![{name}, {theme}]({PROFILE}-{name}-{theme}.png)"
        for name, theme in product(DASHBOARDS, THEMES)
    )
    return (
        f"# The profile {PROFILE}, and what was around it\n\n"
        f"{first:%Y-%m-%d %H:%M:%S} to {last:%H:%M:%S} UTC. Made by `make screenshots`.\n\n"
        f"{pictures}\n"
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
