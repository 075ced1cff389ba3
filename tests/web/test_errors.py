"""Errors on pages: a page that says what happened and what to do."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.web import booking, slots
from tests.web.conftest import Visitor


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(work: object) -> None:
        raise error

    monkeypatch.setattr(booking, "transaction", fail)
    monkeypatch.setattr(slots, "read", fail)


def test_an_unknown_page(visitor: Visitor) -> None:
    page = visitor.open("/nowhere")
    assert page.status_code == 404
    assert "<h1>Page not found</h1>" in page.text
    assert page.headers["X-Request-ID"] in page.text


def test_an_unknown_thing_is_named(visitor: Visitor) -> None:
    assert "There is no appointment 99999." in visitor.open("/appointments/99999").text


def test_a_wrong_method(visitor: Visitor) -> None:
    assert visitor.client.post("/slots").status_code == 405


def test_a_full_pool_says_try_again_shortly(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, PoolTimeoutError())
    page = visitor.open("/slots?specialty=Neurology")
    assert page.status_code == 503
    assert page.headers["Retry-After"]
    assert "try again shortly" in page.text
    assert 'href="/slots?specialty=Neurology"' in page.text


def test_a_form_that_met_a_full_pool_can_be_sent_again(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.open("/patient")
    fail_with(monkeypatch, PoolTimeoutError())
    page = visitor.send("/slots/1/book", patient=1)
    assert page.status_code == 503
    assert "Reload this page to send the form again" in page.text


def test_a_database_that_is_away(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, OperationalError("", {}, Exception(2003, "secret-host refused")))
    page = visitor.open("/slots")
    assert page.status_code == 503
    assert "secret-host" not in page.text


def test_the_unexpected_tells_no_details(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, RuntimeError("secret"))
    page = visitor.open("/slots")
    assert page.status_code == 500
    assert "Sorry, something went wrong" in page.text
    assert "secret" not in page.text
