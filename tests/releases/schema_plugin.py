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

# On a slow machine the last of two hundred wait for a connection longer than a second.
PATIENT = {"CLINIC_POOL_TIMEOUT": "10"}
AT = "SELECT version_num FROM alembic_version"


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any) -> Generator[None, Any, Any]:
    """Migrate the database once it has been made and filled."""
    found = yield
    if fixturedef.argname == "database":
        _go(found, os.environ["SCHEMA_REVISION"])
        environment = found.environment
        found.environment = lambda *account: {**environment(*account), **PATIENT}
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
