"""What protects visitors and the pool: tokens, headers, and no connection while rendering."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, before_render_template, template_rendered
from flask.testing import FlaskClient
from sqlalchemy import event

from app.clinic.paging import AnyRow
from app.database import db
from tests.web.conftest import Visitor

Free = Callable[[int], list[AnyRow]]

PAGES = (
    "/slots",
    "/slots?date=nonsense",
    "/patient",
    "/appointments/1",
    "/appointments/1/cancel",
    "/appointments/1/move",
    "/nowhere",
)
CHANGES = ("/patient", "/slots/1/book", "/appointments/1/cancel", "/appointments/1/move/2")


class Pool:
    """What the pool saw: connections taken, and how many were out when a template rendered."""

    def __init__(self) -> None:
        self.taken = 0
        self.while_rendering: list[int] = []

    def count(self, *_: Any) -> None:
        self.taken += 1

    def look(self, sender: Flask, **_: Any) -> None:
        self.while_rendering.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]


@pytest.fixture
def pool(app: Flask) -> Iterator[Pool]:
    pool = Pool()
    with app.app_context():
        engine = db.engine
    event.listen(engine, "checkout", pool.count)
    with (
        before_render_template.connected_to(pool.look, app),
        template_rendered.connected_to(pool.look, app),
    ):
        yield pool
    event.remove(engine, "checkout", pool.count)


@pytest.mark.parametrize("path", CHANGES)
def test_a_form_without_a_token_is_refused(client: FlaskClient, path: str) -> None:
    page = client.post(path, data={"patient": "1"})
    assert page.status_code == 400
    assert "Nothing has been changed" in page.text


def test_a_token_of_another_browser_is_refused(app: Flask, visitor: Visitor) -> None:
    visitor.open("/patient")
    other = Visitor(app.test_client())
    other.open("/patient")
    other.hidden = visitor.hidden
    assert other.send("/patient", patient=1).status_code == 400


def test_the_api_needs_no_token(client: FlaskClient) -> None:
    assert client.post("/api/v1/appointments/99999/cancel").status_code == 404
    assert client.post("/api/v1/appointments", json={}).status_code == 422


@pytest.mark.parametrize("path", PAGES)
def test_pages_need_no_connection_while_they_render(
    visitor: Visitor, pool: Pool, path: str
) -> None:
    visitor.open(path)
    assert pool.while_rendering
    assert set(pool.while_rendering) == {0}
    assert pool.taken <= 1


def test_changes_take_one_connection_and_none_while_they_render(
    visitor: Visitor, pool: Pool, free: Free
) -> None:
    old, new = free(2)
    pool.taken = 0
    appointment = visitor.book(old.id)
    visitor.send(f"/slots/{new.id}/book", patient=9999)
    visitor.send(f"/appointments/{appointment}/move/{new.id}")
    visitor.send(f"/appointments/{appointment}/cancel")
    visitor.send("/patient", patient=1)
    assert pool.taken == 6  # the form was opened, and five were sent
    assert set(pool.while_rendering) == {0}


@pytest.mark.parametrize("path", PAGES)
def test_pages_carry_headers_and_no_inline_code(visitor: Visitor, path: str) -> None:
    page = visitor.open(path)
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page.text)


def test_the_cookie_is_for_this_site_only(visitor: Visitor) -> None:
    cookie = visitor.open("/patient").headers["Set-Cookie"]
    assert cookie.startswith("clinic=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_the_stylesheet_is_served_and_may_be_kept(client: FlaskClient) -> None:
    with client.get("/static/clinic.css") as style:
        assert style.mimetype == "text/css"
        assert "ETag" in style.headers
        assert "no-store" not in style.headers["Cache-Control"]


def test_the_apis_browser_keeps_its_scripts(client: FlaskClient) -> None:
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert "Content-Security-Policy" not in page.headers
