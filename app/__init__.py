"""The clinic: a Flask application on MySQL whose connection pool can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application: settings, then extensions, then blueprints.

    Imports are local, so that :mod:`app.pool` can be used without the rest.

    Args:
        settings: what the application is told; read from the environment where left out.

    Raises:
        SettingsError: the environment's settings cannot be used.
    """
    from flask import Flask

    from app import api, cli, database, errors, health, lab, logs, metrics, replicas, waterfall, web
    from app.settings import Settings

    settings = settings or Settings.load()
    app = Flask(__name__, static_folder=None)
    app.extensions["settings"] = settings

    logs.init_app(app, settings)
    metrics.init_app(app)
    database.init_app(app, settings)
    replicas.init_app(app, settings)
    waterfall.init_app(app)
    errors.init_app(app)
    cli.init_app(app)

    health.init_app(app)
    api.init_app(app)
    web.init_app(app, settings)
    if settings.lab_enabled:
        lab.init_app(app)
    return app
