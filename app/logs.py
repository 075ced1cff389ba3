"""JSON logs, one object a line, each with the request's id and route."""

from __future__ import annotations

import logging
import re
import sys
import uuid
from time import perf_counter

import structlog
from flask import Flask, Response, g, request
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

from app.settings import Settings

REQUEST_ID_HEADER = "X-Request-ID"
_ACCEPTED_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_QUIET = frozenset({"/livez", "/readyz"})

access = structlog.stdlib.get_logger("access")


def init_app(app: Flask, settings: Settings) -> None:
    """Configure logging, and log every request of *app* when it ends."""
    configure(settings.log_level)
    app.before_request(_begin)
    app.after_request(_end)


def configure(level: str) -> None:
    """Send all loggers, the libraries' too, to stderr as JSON lines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Without local variables: they may hold secrets.
                structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)


def request_id() -> str:
    """The id of the current request: the client's own, or a generated one."""
    identifier: str = g.request_id
    return identifier


def _begin() -> None:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    g.request_id = given if _ACCEPTED_ID.fullmatch(given) else uuid.uuid4().hex
    g.began = perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id, route=_route())


def _end(response: Response) -> Response:
    response.headers[REQUEST_ID_HEADER] = g.request_id
    if request.path not in _QUIET:
        access.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            seconds=round(perf_counter() - g.began, 6),
        )
    return response


def _route() -> str | None:
    return request.url_rule.rule if request.url_rule else None
