"""Picture the application's pages, its pool in the terminal, and the report of a spike.

    make screenshots

On a private database and application, which are removed at the end; the pictures go to
docs/images/app/. With GRAFANA_URL the dashboards are pictured as well: monitoring/screenshots.py.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, Page, ViewportSize, expect

from loadtest.lab.application import Application
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.processes import Workspace
from monitoring.screenshots import NotShownError
from monitoring.screenshots import browser as open_browser
from tests.waiting import eventually

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs/images/app"
SHOWN = {
    "slots": "Free slots of a specialty",
    "book-mistake": "A mistake is named on top, and beside its field",
    "booked": "An appointment is booked",
    "appointments": "A patient's appointments",
    "contact": "The telephone number, which the migration moved",
    "waitlist": "The waiting list, which a migration added",
    "pool-status": "flask pool status, in the middle of a spike",
    "report": "The report of that spike",
}
SCREEN = ViewportSize(width=1200, height=800)
PATIENTS = 2000
TERMINAL = """<body style="margin:0; background:#11151b; color:#e6ebf1">
<pre style="margin:0; padding:24px; font:15px/1.35 'DejaVu Sans Mono', monospace">{}</pre></body>"""


def main() -> None:
    """Take all of them."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        PrivateDatabase.running() as database,
        _application(database) as app,
        open_browser() as browser,
    ):
        _pages(browser, app.url)
        terminal, report = _spike(app)
        _terminal(browser, terminal)
        _report(browser, report)
    pictures = "\n".join(f"![{text}]({name}.png)\n\n{text}.\n" for name, text in SHOWN.items())
    (PICTURES / "README.md").write_text(
        f"# The application\n\nBy `make screenshots`.\n\n{pictures}"
    )


@contextmanager
def _application(database: PrivateDatabase) -> Iterator[Application]:
    workspace = Workspace("poolsight-screenshots-")
    application = Application(workspace, database, CLINIC_LAB_ENABLED="true")
    try:
        application.prepare(PATIENTS)
        application.start()
        yield application
    finally:
        application.stop()
        workspace.close()


def _pages(browser: Browser, url: str) -> None:
    """The way of a patient: find, book, see, and what a mistake looks like."""
    page = browser.new_page(viewport=SCREEN, base_url=url)
    page.goto("/")
    page.get_by_label("Specialty").select_option("Neurology")
    page.get_by_role("button", name="Show slots").click()
    _take(page, "slots")
    page.get_by_role("link", name="Book").first.click()
    page.get_by_role("button", name="Book this appointment").click()
    expect(page.get_by_role("alert")).to_be_visible()
    _take(page, "book-mistake")
    page.get_by_label("Patient number").fill("12")
    page.get_by_label("Reason").fill("Headache")
    page.get_by_role("button", name="Book this appointment").click()
    expect(page.get_by_role("heading", name="Appointment booked")).to_be_visible()
    _take(page, "booked")
    page.get_by_role("link", name="See my appointments").click()
    _take(page, "appointments")
    page.goto("/contact")
    _take(page, "contact")
    page.goto("/waitlist")
    _take(page, "waitlist")


def _report(browser: Browser, report: Path) -> None:
    """The report down to its charts: what it concludes."""
    page = browser.new_page(viewport=SCREEN)
    page.goto(report.as_uri())
    charts = page.get_by_role("heading", name="Second by second").bounding_box()
    assert charts is not None
    clip = FloatRect(x=0, y=0, width=SCREEN["width"], height=charts["y"])
    page.screenshot(path=PICTURES / "report.png", full_page=True, clip=clip)


def _take(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"{name}.png")


def _spike(app: Application) -> tuple[str, Path]:
    """Send one; return what the terminal shows in the middle of it, and its report."""
    runs = Path(tempfile.mkdtemp(prefix="poolsight-screenshots-"))
    command = [sys.executable, "-m", "loadtest", "run", "spike", "--target", app.url,
               "--metrics", app.metrics_url, "--runs", str(runs)]  # fmt: skip
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT) as load,
    ):
        try:
            shown = eventually(lambda: _busy_status(app), within=60, every=0.5)
        except AssertionError as error:
            load.wait()
            said.seek(0)
            raise NotShownError(f"Nobody waited for a connection:\n{said.read()}") from error
        load.wait()
    (directory,) = runs.iterdir()
    return shown, directory / "report.html"


def _busy_status(app: Application) -> str:
    """What ``flask pool status`` shows while threads wait; nothing while none does."""
    at = app.metrics_url.removeprefix("http://").split("/")[0]
    shown = app.flask("pool", "status", "--once", "--at", at)
    return shown if re.search(r"threads? waits?, for", shown) else ""


def _terminal(browser: Browser, text: str) -> None:
    page = browser.new_page(viewport=ViewportSize(width=800, height=100))
    page.set_content(TERMINAL.format(html.escape(text)))
    page.locator("pre").screenshot(path=PICTURES / "pool-status.png")


if __name__ == "__main__":
    try:
        main()
    except NotShownError as problem:
        sys.exit(str(problem))
