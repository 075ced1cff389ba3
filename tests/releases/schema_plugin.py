"""A plugin of pytest: the tests' database gets another revision than their own release makes.

SCHEMA_REVISION names it, and RELEASE the directory of the release whose ``flask db`` goes there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from typing import Any

import pytest

from loadtest.lab import application

# On a slow machine the last of two hundred wait longer for a connection, and for it to open. Only
# the application that many ask at once waits: tests of an outage count the seconds of its settings.
PATIENT = {"CLINIC_POOL_TIMEOUT": "10", "CLINIC_DB_CONNECT_TIMEOUT": "8"}
AT = "SELECT version_num FROM alembic_version"


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any) -> Generator[None, Any, Any]:
    """Migrate the database once it has been made and filled; serve the application patiently."""
    if fixturedef.argname == "served":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(application, "POOL", application.POOL | PATIENT)
            return (yield)
    found = yield
    if fixturedef.argname == "database":
        _go(found, os.environ["SCHEMA_REVISION"])
    return found


def _go(server: Any, revision: str) -> None:
    with server.connect("admin") as connection, connection.cursor() as cursor:
        cursor.execute(AT)
        ((now,),) = cursor.fetchall()
        direction = "upgrade" if now < revision else "downgrade"
        if now != revision:
            subprocess.run(
                [sys.executable, "-m", "flask", "--app", "app", "db", direction, revision],
                cwd=os.environ["RELEASE"],
                env={**os.environ, **server.environment("migrator")},
                check=True,
            )
        cursor.execute(AT)
        assert cursor.fetchall() == ((revision,),)
