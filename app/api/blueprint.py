"""What both of the API's blueprints share: strict bodies, and problems in the document."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from http import HTTPStatus
from typing import Any, TypeVar

import flask_smorest
from flask import Request
from webargs.core import is_json
from webargs.flaskparser import FlaskParser, abort

View = TypeVar("View", bound=Callable[..., Any])


class StrictJsonParser(FlaskParser):
    """Tells a body that is not said to be JSON (415) from one that is not JSON (400)."""

    def _raw_load_json(self, req: Request) -> Any:
        if not is_json(req.mimetype):
            abort(415, message="Send JSON, with the header Content-Type: application/json.")
        try:
            return super()._raw_load_json(req)
        except (ValueError, RecursionError):  # also: a number too long, or nested too deeply
            abort(400, message="The body is not JSON that can be read.")


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """A flask-smorest blueprint under ``/api/v1`` with strict bodies."""

    ARGUMENTS_PARSER = StrictJsonParser()

    def __init__(self, name: str, import_name: str, description: str) -> None:
        super().__init__(name, import_name, url_prefix="/api/v1", description=description)

    def problems(self, *statuses: int) -> Callable[[View], View]:
        """Document what an operation may answer beside success, 422 and, as they all may, 503."""
        documented = [
            self.alt_response(status, HTTPStatus(status).name) for status in (*statuses, 503)
        ]
        return lambda view: reduce(lambda inner, document: document(inner), documented, view)
