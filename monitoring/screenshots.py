"""Photograph the dashboards during the last spike, the last faults and the last migration.

python -m monitoring.screenshots http://127.0.0.1:3000

The pictures are a laptop's first screen. They go to docs/images/grafana/, beside pages that say
what they show. Of what did not happen lately the pictures stay as they are; nothing is written
when a panel is in error.
"""

from __future__ import annotations

import json
import shutil
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from itertools import product
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Error, Page, ViewportSize, expect, sync_playwright

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
LOOK = 2_000  # milliseconds between two looks
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


def _scenario(name: str, title: str, *dashboards: str) -> Occasion:
    command = f".venv/bin/python -m loadtest run {name} --target compose"
    return Occasion(name, title, _profile(name), command, dashboards, ("dark",))


OCCASIONS: Final = (
    Occasion(
        "spike", "The profile spike, and what was around it",
        _profile("spike"), "docker compose run --rm loadtest spike",
        tuple(DASHBOARDS), ("dark", "light"),
    ),
    _scenario(
        "database-restart", "MySQL is killed under load, and started again",
        "overview", "pool", "mysql",
    ),
    _scenario("breakpoint", "More and more requests, until the pool has nothing to give", "pool"),
    _scenario("max-connections", "MySQL has room for fewer connections than the pool", "pool"),
    _scenario("frozen-database", "MySQL stands still, its port open", "pool"),
    _scenario("lock-contention", "Somebody holds a lock that everybody needs", "pool"),
    Occasion(
        "migration", "A migration under load: its mark on the time axis, and nothing else",
        "clinic_migration_last_started_timestamp_seconds > time() - 60",
        "docker compose run --rm --no-deps migrate 'flask db downgrade && flask db upgrade'",
        ("overview", "pool"), ("dark",),
    ),
)  # fmt: skip


class NotShownError(Exception):
    """What was to be photographed is not there; the message says what to do."""


def main(grafana: str) -> None:
    """Find what happened, photograph, write."""
    try:
        spans = {occasion: last_time(grafana, occasion) for occasion in OCCASIONS}
        made = {
            occasion: (page(occasion, *span), dict(photographs(grafana, occasion, *span)))
            for occasion, span in spans.items()
            if span
        }
    except NotShownError as problem:
        sys.exit(str(problem))
    PICTURES.mkdir(parents=True, exist_ok=True)
    for occasion, (text, pictures) in made.items():
        for name, picture in pictures.items():
            (PICTURES / f"{name}.png").write_bytes(picture)
        (PICTURES / f"{occasion.name}.md").write_text(text)
    unseen = [
        f"Prometheus has seen no {occasion.name} in the last {LOOK_BACK}, so its pictures are as "
        f"they were. Cause it first: {occasion.caused_by}"
        for occasion in OCCASIONS
        if occasion not in made
    ]
    print("\n".join([f"Pictured: {', '.join(one.name for one in made) or 'nothing'}", *unseen]))  # noqa: T201
    if not made:
        sys.exit(1)


def last_time(grafana: str, occasion: Occasion) -> tuple[float, float] | None:
    """Return from when until when to look at what happened last, seconds since 1970.

    None if Prometheus has seen nothing of it.

    Raises:
        NotShownError: Grafana does not answer.
    """
    seen = f"timestamp({occasion.seen})[{LOOK_BACK}:{STEP}s]"
    times = sorted(
        {float(scraped) for series in _ask(grafana, seen) for _, scraped in series["values"]}
    )
    if not times:
        return None
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
    with browser() as opened:
        for name, theme in product(occasion.dashboards, occasion.themes):
            try:
                picture = photograph(opened, grafana, name, theme, begin, end)
            except (AssertionError, Error) as error:
                raise NotShownError(f"The dashboard {name!r} did not come: {error}") from error
            yield f"{occasion.name}-{name}-{theme}", picture


@contextmanager
def browser() -> Iterator[Browser]:
    """The machine's browser, without a window.

    Raises:
        NotShownError: there is none.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise NotShownError(f"A browser is missing. Install one of: {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )


def photograph(
    browser: Browser, grafana: str, name: str, theme: str, begin: float, end: float
) -> bytes:
    """Return the first screen of a dashboard as PNG, when all its panels have come."""
    span = {"from": f"{begin * 1000:.0f}", "to": f"{end * 1000:.0f}", "timezone": "utc"}
    query = urllib.parse.urlencode(span | {"theme": theme, "kiosk": "true", "refresh": "1d"})
    first = next(panel for panel in DASHBOARDS[name]["panels"] if panel["type"] != "row")
    shown = browser.new_page(viewport=SCREEN)
    try:
        shown.goto(f"{grafana}/d/{name}?{query}", wait_until="networkidle")
        title = shown.get_by_text(first["title"], exact=True)
        expect(title).to_be_visible(timeout=SHOWN_WITHIN)
        loading = shown.get_by_label("Panel loading bar")
        expect(loading).to_have_count(0, timeout=SHOWN_WITHIN)
        asking = shown.get_by_text("Cancel", exact=True)  # what "Refresh" says meanwhile
        expect(asking).to_have_count(0, timeout=SHOWN_WITHIN)
        wrong = shown.get_by_test_id("data-testid Panel status error")
        if wrong.count():
            raise NotShownError(f"{name}: {wrong.count()} panels are in error. Open {shown.url}")
        return _settled(shown)
    finally:
        shown.close()


def _settled(shown: Page) -> bytes:
    """Return the screen once it is the same twice: a Grafana that has just started paints late."""
    before = b""
    for _ in range(SHOWN_WITHIN // LOOK):
        now = shown.screenshot()
        if now == before:
            return now
        before = now
        shown.wait_for_timeout(LOOK)
    raise NotShownError(f"It does not come to rest. Open {shown.url}")


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
