"""A visitor without a browser, and one with Chromium."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy.orm import Session
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from app.clinic import booking, catalogue
from app.clinic.paging import AnyRow
from app.database import transaction

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Visitor:
    """Somebody who opens pages and sends the form of the page that was opened last."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.hidden: dict[str, str] = {}

    def open(self, path: str) -> TestResponse:
        """Open a page and take the hidden fields of its form."""
        return self._keep(self.client.get(path))

    def send(self, path: str, follow: bool = False, **fields: Any) -> TestResponse:
        """Send the form, with *fields* filled in."""
        data = {**self.hidden, **fields}
        return self._keep(self.client.post(path, data=data, follow_redirects=follow))

    def book(self, slot_id: int, patient: int = 1, **fields: Any) -> int:
        """Book a slot on its page; the appointment's id."""
        self.open(f"/slots/{slot_id}/book")
        response = self.send(f"/slots/{slot_id}/book", patient=patient, **fields)
        assert response.status_code == 303, response.text
        return int(response.location.rpartition("/")[2])

    def _keep(self, response: TestResponse) -> TestResponse:
        hidden = re.findall(r"<input[^>]*hidden[^>]*>", response.text)
        found = {_attribute(tag, "name"): _attribute(tag, "value") for tag in hidden}
        self.hidden = found or self.hidden
        return response


@pytest.fixture
def visitor(client: FlaskClient) -> Visitor:
    """Somebody new."""
    return Visitor(client)


@pytest.fixture
def read(app: Flask) -> Callable[[Callable[[Session], Any]], Any]:
    """What a function of a database session returns."""

    def run(work: Callable[[Session], Any]) -> Any:
        with app.app_context():
            return transaction(work)

    return run


@pytest.fixture
def free(read: Callable[..., Any]) -> Callable[[int], list[AnyRow]]:
    """So many of the soonest free slots."""
    return lambda number: list(
        read(lambda s: catalogue.free_slots(s, number, datetime.now(UTC))).items
    )


@pytest.fixture
def taken(read: Callable[..., Any], free: Callable[[int], list[AnyRow]]) -> int:
    """A slot that somebody has booked."""
    slot = free(1)[0]
    read(lambda s: booking.book(s, slot.id, 1))
    return int(slot.id)


@pytest.fixture(scope="session")
def site(app: Flask) -> Iterator[str]:
    """The URL at which the application really listens."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's, or the system's, own Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium found: install the package 'chromium' to run the browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, site: str) -> Iterator[Page]:
    """A page of a phone's size in a fresh browser without JavaScript."""
    context = chromium.new_context(
        base_url=site, java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    page = context.new_page()
    page.set_default_timeout(5000)
    yield page
    context.close()


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return found[1] if found else ""
