"""Slots and patients of a test's own, and the application as it is served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from app.settings import Settings
from loadtest.lab.database import PrivateDatabase
from tests.api.serving import Served, serving
from tests.clinic.offers import Offer, offer, patient


@pytest.fixture
def three(app: Flask) -> Offer:
    """A clinician with three free slots."""
    return offer(app, 3)


@pytest.fixture
def nobody(app: Flask) -> int:
    """A patient without appointments."""
    return patient(app)


@pytest.fixture(scope="session")
def served(database: PrivateDatabase, settings: Settings) -> Iterator[Served]:
    """The application under gunicorn with its default settings, on the shared database."""
    assert settings.secret_key_file
    with serving(database, settings.secret_key_file) as running:
        yield running
