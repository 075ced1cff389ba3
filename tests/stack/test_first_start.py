"""A first start of MySQL that is cut short is begun again by the next one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.stack.stack import Stack, docker
from tests.waiting import eventually

DATA = "/var/lib/mysql"
LOG_IN = (
    "mysql --defaults-file=/run/secrets/clinic/exporter.cnf --host=127.0.0.1 "
    "--ssl-mode=VERIFY_IDENTITY --execute='DO 1'"
)


@pytest.fixture
def another(stack: Stack) -> Iterator[str]:
    """A second MySQL, which has just begun its first start on a volume of its own."""
    name = f"{stack.project}-first-start"
    own = ("--no-deps", "--name", name, "--volume", f"{name}:{DATA}")
    stack.compose("run", "--detach", *own, "mysql")
    yield name
    docker("rm", "--force", name)
    docker("volume", "rm", name)


def test_a_kill_while_the_data_directory_is_made(another: str) -> None:
    eventually(lambda: says(another, f"test -d {DATA}/mysql"), within=30)
    docker("kill", another)
    docker("start", another)
    eventually(lambda: says(another, LOG_IN), within=60)
    assert "The first start was cut short" in docker("logs", another)
    docker("restart", another)
    eventually(lambda: says(another, LOG_IN), within=60)
    assert docker("logs", another).count("The first start was cut short") == 1


def says(container: str, script: str) -> bool:
    """Say whether a shell script succeeds in a container."""
    try:
        docker("exec", container, "sh", "-c", script)
    except subprocess.CalledProcessError:
        return False
    return True
