"""The JSON API under ``/api/v1``, its OpenAPI document, and the page to browse it."""

from __future__ import annotations

from http import HTTPStatus

import flask_smorest
from flask import Flask
from flask_swagger_ui import get_swaggerui_blueprint

from app.api import appointments, patients, reading
from app.api.schemas import ProblemSchema
from app.errors import PROBLEM_TYPE

PREFIX = "/api/v1"
DOCUMENT = f"{PREFIX}/openapi.json"
BROWSER = "/api/docs"
LARGEST_BODY = 64 * 1024  # bytes; of forms too


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest's API with this application's own error answers, which its document names."""

    DEFAULT_ERROR_RESPONSE_NAME = None  # each operation names what it answers

    def _register_error_handlers(self) -> None:
        """Leave errors to :mod:`app.errors`."""

    def _register_responses(self) -> None:
        for status in HTTPStatus:
            response = {
                "description": status.phrase,
                "content": {PROBLEM_TYPE: {"schema": ProblemSchema}},
            }
            self.spec.components.response(status.name, response, lazy=True)


def init_app(app: Flask) -> None:
    """Register the API with *app*."""
    app.config.update(
        API_TITLE="Clinic scheduling",
        API_VERSION="1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX=PREFIX,
        OPENAPI_JSON_PATH="openapi.json",
        MAX_CONTENT_LENGTH=LARGEST_BODY,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    api = Api(app)
    for blueprint in (reading.blueprint, appointments.blueprint, patients.blueprint):
        api.register_blueprint(blueprint)
    # Without the validator, which would send the document's address to its maker's site.
    config = {"app_name": "Clinic scheduling API", "validatorUrl": None}
    app.register_blueprint(get_swaggerui_blueprint(BROWSER, DOCUMENT, config))
