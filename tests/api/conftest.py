"""Slots and patients of a test's own, and the application as it is served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

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
def served(database: PrivateDatabase) -> Iterator[Served]:
    """The application under gunicorn on the shared database.

    Its settings are the defaults, but for the wait for a connection: on a slow machine the last of
    two hundred wait longer than a second.
    """
    with serving(database, CLINIC_POOL_TIMEOUT="10") as running:
        yield running
