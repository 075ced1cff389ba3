"""Is the process alive, and can it serve?"""

from __future__ import annotations

from functools import cache
from typing import Any

from alembic.script import ScriptDirectory
from flask import Blueprint, Flask, Response, current_app
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from app.database import error_code, limit_waits, transaction
from app.errors import Problem

NO_SUCH_TABLE = 1146
OLDEST_REVISION = "0003"  # with which this release works
PATIENCE = 1.0  # seconds; a probe gives up sooner than a request

blueprint = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Register the probes with *app*."""
    app.register_blueprint(blueprint)


@blueprint.get("/livez")
def live() -> dict[str, str]:
    """The process answers. The database is not asked."""
    return {"status": "alive"}


@blueprint.get("/readyz")
def ready() -> Response | dict[str, Any]:
    """The database answers with a schema that this release can use; otherwise 503 with the reason.

    A revision that this release does not know is a later one's, which keeps to what it uses.
    """
    try:
        applied = transaction(_revision)
    except PoolTimeoutError:
        raise
    except SQLAlchemyError as error:
        reason = f"The database does not answer: {getattr(error, 'orig', None) or error}"
        return Problem(503, reason, "database_away", retry_after=2).response()
    if applied in _too_old():
        reason = (
            f"The schema is at revision {applied}, and this release needs {OLDEST_REVISION} or "
            "later. Run: flask db upgrade"
        )
        return Problem(503, reason, "migrations_missing", retry_after=5).response()
    return {"status": "ready", "revision": applied}


def _revision(session: Session) -> str | None:
    limit_waits(session, PATIENCE)
    try:
        revision: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError as error:
        if error_code(error) == NO_SUCH_TABLE:
            return None
        raise
    return revision


@cache
def _too_old() -> frozenset[str | None]:
    config = current_app.extensions["migrate"].migrate.get_config()
    scripts = ScriptDirectory.from_config(config).iterate_revisions(OLDEST_REVISION, "base")
    return frozenset({None, *(script.revision for script in scripts)} - {OLDEST_REVISION})
