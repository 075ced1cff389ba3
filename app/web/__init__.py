"""The pages: free slots, booking, and a patient's appointments. They need no JavaScript.

Every view reads or writes in one transaction and renders afterwards, without a connection.
"""

from __future__ import annotations

import secrets

from flask import Flask, Response, request
from flask_wtf.csrf import CSRFError, CSRFProtect

from app.clinic import phones
from app.errors import Problem
from app.settings import Settings
from app.web import appointments, booking, changes, contact, formats, slots, waitlist
from app.web.pages import Unavailable, blueprint, unavailable

__all__ = [
    "appointments", "blueprint", "booking", "changes", "contact", "init_app", "slots", "waitlist",
]  # fmt: skip

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

csrf = CSRFProtect()


def init_app(app: Flask, settings: Settings) -> None:
    """Register the pages with *app*, and sign cookies and form tokens with the settings' key."""
    app.config.update(
        # Commands sign nothing; gunicorn does not start without a key.
        SECRET_KEY=settings.secret_key or secrets.token_hex(),
        SESSION_COOKIE_NAME="clinic",
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,  # the API has no cookies that could be abused
        WTF_CSRF_TIME_LIMIT=None,  # a page left open stays usable
    )
    csrf.init_app(app)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        day=formats.day, clock=formats.clock, moment=formats.moment, phone=phones.shown
    )
    app.after_request(_protect)
    app.register_blueprint(blueprint)


blueprint.before_request(csrf.protect)
blueprint.register_error_handler(Unavailable, unavailable)


@blueprint.errorhandler(CSRFError)
def _refused(error: CSRFError) -> Response:
    detail = (
        "The form is out of date, or cookies are blocked. Nothing has been changed. "
        "Go back, reload the page and try again."
    )
    return Problem(400, detail, "csrf").response()


def _protect(response: Response) -> Response:
    # Only pages and what has no route: the API's browser has scripts in its page.
    if request.blueprint in (None, blueprint.name):
        response.headers.update(HEADERS)
        if request.endpoint != f"{blueprint.name}.static":
            response.headers["Cache-Control"] = "no-store"
    return response
