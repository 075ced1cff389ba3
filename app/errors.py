"""Every error as an answer for people and programs, never a traceback.

API, lab and health answer RFC 9457 problem details; pages answer a page. Both carry the request's
id, under which the log tells more. What can be tried again says so with ``Retry-After``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, render_template, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from app.clinic.errors import ClinicError, Conflict, KeyReused, NotFound
from app.clinic.paging import InvalidCursor
from app.database import DEADLOCK, STATEMENT_TIMEOUTS, error_code
from app.logs import request_id

PROBLEM_TYPE = "application/problem+json"
PAGES_ELSEWHERE = ("/api/", "/lab/", "/livez", "/readyz")

LOCK_WAIT_TIMEOUT = 1205
# No connection, or lost: SQLAlchemy's own list of MySQL disconnects, what connecting raises, and
# a server that starts or stops.
UNAVAILABLE = frozenset(
    {1040, 1045, 1053, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1290, 1836, 1927,
     2002, 2003, 2005, 2006, 2012, 2013, 2014, 2026, 2045, 2055, 3100, 3159, 4031}
)  # fmt: skip

log = structlog.stdlib.get_logger("errors")


@dataclass(frozen=True)
class Problem:
    """An error as it is told: see RFC 9457, section 3.

    Attributes:
        status: HTTP status code.
        detail: what happened and what to do, in a sentence.
        code: a name that programs may rely on.
        errors: by field, what is wrong with it.
        retry_after: seconds after which the request may succeed.
    """

    status: int
    detail: str
    code: str = "error"
    errors: Any = None
    retry_after: int | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The members of the problem details object."""
        members = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "correlation_id": request_id(),
        }
        return members | ({"errors": self.errors} if self.errors else {})

    def response(self) -> Response:
        """The answer in the form that the path's users expect."""
        if request.path.startswith(PAGES_ELSEWHERE):
            response = Response(json.dumps(self.body()), self.status, mimetype=PROBLEM_TYPE)
        else:
            response = Response(render_template("error.html", problem=self.body()), self.status)
        response.headers.update(self.headers)
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        return response


def init_app(app: Flask) -> None:
    """Answer every error of *app* as a problem."""
    app.register_error_handler(HTTPException, lambda e: _http(e).response())
    app.register_error_handler(ClinicError, lambda e: _clinic(e).response())
    app.register_error_handler(InvalidCursor, lambda e: _cursor(e).response())
    app.register_error_handler(PoolTimeoutError, lambda e: _exhausted().response())
    app.register_error_handler(DBAPIError, lambda e: _database(e).response())
    app.register_error_handler(Exception, lambda e: _unexpected(e).response())


def _http(error: HTTPException) -> Problem:
    status = error.code or 500
    data = getattr(error, "data", {})
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return Problem(
        status,
        data.get("message") or error.description or HTTPStatus(status).phrase,
        HTTPStatus(status).name.lower(),
        errors=data.get("messages"),
        headers=headers,
    )


def _clinic(error: ClinicError) -> Problem:
    status = {NotFound: 404, Conflict: 409, KeyReused: 422}[type(error)]
    code = {NotFound: "not_found", Conflict: "conflict", KeyReused: "idempotency_key_reused"}
    return Problem(status, str(error), code[type(error)])


def _cursor(error: InvalidCursor) -> Problem:
    return Problem(422, str(error), "invalid_cursor", errors={"query": {"after": [str(error)]}})


def _exhausted() -> Problem:
    detail = "All database connections are in use. Try again shortly."
    return Problem(503, detail, "pool_exhausted", retry_after=1)


def _database(error: DBAPIError) -> Problem:
    code = error_code(error)
    log.warning("database error", code=code, error=str(error.orig))
    if code == LOCK_WAIT_TIMEOUT:
        return Problem(503, "Others are changing this. Try again.", "lock_wait", retry_after=1)
    if code == DEADLOCK:
        return Problem(503, "Others were changing this. Try again.", "deadlock", retry_after=1)
    if code in STATEMENT_TIMEOUTS:
        detail = "The database took too long. Ask for less, or try again."
        return Problem(503, detail, "statement_timeout", retry_after=5)
    if code in UNAVAILABLE or error.connection_invalidated:
        return Problem(503, "The database is away. Try again.", "database_away", retry_after=2)
    return _unexpected(error)


def _unexpected(error: Exception) -> Problem:
    log.error("unexpected error", exc_info=error)
    return Problem(500, "Something went wrong here. It has been logged.", "internal_server_error")
