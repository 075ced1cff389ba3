"""The pages."""

from __future__ import annotations

from flask import Blueprint, Flask

from app.settings import Settings

blueprint = Blueprint("web", __name__, template_folder="templates")


def init_app(app: Flask, settings: Settings) -> None:
    """Register the pages with *app*."""
    app.register_blueprint(blueprint)
