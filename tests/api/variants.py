"""Applications with other settings, beside the shared one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask

from app import create_app
from app.database import db
from app.settings import Settings


@contextmanager
def variant(settings: Settings, **changes: Any) -> Iterator[Flask]:
    """The application with *changes* to its *settings*; its connections are closed at the end."""
    app = create_app(settings.model_copy(update=changes))
    yield app
    with app.app_context():
        db.engine.dispose()
