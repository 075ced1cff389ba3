"""Photograph every dashboard over the last run of a load profile, in the dark and the light theme.

python -m monitoring.screenshots http://127.0.0.1:3000 [--profile spike]

The pictures go to docs/images/grafana/, beside a page that says what they show. Nothing is written
when a panel is in error.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

MONITORING = Path(__file__).parent
DASHBOARDS = sorted(path.stem for path in (MONITORING / "grafana/dashboards").glob("*.json"))
PICTURES = MONITORING.parent / "docs/images/grafana"
THEMES: Final = ("dark", "light")
SCREEN = ViewportSize(width=1440, height=900)  # a laptop's
BEFORE, AFTER = 30, 60  # seconds around the run
STEP = 5
LOOK_BACK = "12h"


class NotShownError(Exception):
    """What was to be photographed is not there; the message says what to do."""


def main() -> None:
    """Find the run, photograph, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="of Grafana, where anybody may look")
    parser.add_argument("--profile", default="spike", help="of the load; default: %(default)s")
    arguments = parser.parse_args()
    try:
        begin, end = last_run(arguments.url, arguments.profile)
        pictures = dict(photographs(arguments.url, begin, end))
    except NotShownError as problem:
        sys.exit(str(problem))
    PICTURES.mkdir(parents=True, exist_ok=True)
    for (name, theme), picture in pictures.items():
        (PICTURES / f"{arguments.profile}-{name}-{theme}.png").write_bytes(picture)
    (PICTURES / f"{arguments.profile}.md").write_text(page(arguments.profile, begin, end))


def last_run(grafana: str, profile: str) -> tuple[float, float]:
    """Return when the last run of `profile` began and ended, seconds since 1970.

    Raises:
        NotShownError: Grafana does not answer, or its Prometheus saw no such run.
    """
    seen = f'timestamp(locust_profile_info{{profile="{profile}"}})[{LOOK_BACK}:{STEP}s]'
    times = sorted(
        {float(scraped) for series in _ask(grafana, seen) for _, scraped in series["values"]}
    )
    if not times:
        raise NotShownError(
            f"Prometheus has seen no run of the profile {profile!r} in the last {LOOK_BACK}. "
            f"Run it first: docker compose run --rm loadtest {profile}"
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
        NotShownError: there is no Chromium, or a panel is in error.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, theme in product(DASHBOARDS, THEMES):
            yield (name, theme), photograph(browser, grafana, name, theme, begin, end)


def photograph(
    browser: Browser, grafana: str, name: str, theme: str, begin: float, end: float
) -> bytes:
    """Return the first screen of a dashboard as PNG, when all its panels have come."""
    span = {"from": f"{begin * 1000:.0f}", "to": f"{end * 1000:.0f}", "timezone": "utc"}
    query = urllib.parse.urlencode(span | {"theme": theme, "refresh": "", "kiosk": "true"})
    shown = browser.new_page(viewport=SCREEN)
    try:
        shown.goto(f"{grafana}/d/{name}?{query}", wait_until="networkidle")
        expect(shown.get_by_label("Panel loading bar")).to_have_count(0)
        wrong = shown.get_by_test_id("data-testid Panel status error")
        if wrong.count():
            raise NotShownError(f"{name}: {wrong.count()} panels are in error. Open {shown.url}")
        return shown.screenshot()
    finally:
        shown.close()


def page(profile: str, begin: float, end: float) -> str:
    """Return the page that says what the pictures show."""
    first, last = (datetime.fromtimestamp(moment, UTC) for moment in (begin, end))
    pictures = "\n".join(
        f"![{name}, {theme}]({profile}-{name}-{theme}.png)"
        for name, theme in product(DASHBOARDS, THEMES)
    )
    return (
        f"# The profile {profile}, {first:%Y-%m-%d %H:%M:%S} to {last:%H:%M:%S} UTC\n\n"
        f"Made by `make screenshots`.\n\n{pictures}\n"
    )


def _ask(grafana: str, query: str) -> list[dict[str, Any]]:
    path = "/api/datasources/proxy/uid/prometheus/api/v1/query?"
    try:
        url = grafana + path + urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the user's own
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found
    except urllib.error.URLError as error:
        raise NotShownError(
            f"No Grafana with the stack's Prometheus at {grafana}: {error}"
        ) from error


if __name__ == "__main__":
    main()
