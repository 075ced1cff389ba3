"""The package is of use by itself: copied alone, with nothing but its two dependencies."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import prometheus_client
import sqlalchemy
import typing_extensions

from tests.conftest import ROOT

USE = """
import sys
sys.path[:0] = [{packages!r}, {copy!r}]
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import create_engine, text
from elsewhere.pool import PoolCollector, measured_pool

registry = CollectorRegistry()
engine = create_engine("sqlite:///{copy}/file.db", poolclass=measured_pool("orders"))
registry.register(PoolCollector())
with engine.connect() as connection:
    connection.execute(text("SELECT 1"))
    print(generate_latest(registry).decode())
assert not [name for name in sys.modules if name.split(".")[0] in ("app", "flask")]
"""


def test_copied_alone(tmp_path: Path) -> None:
    packages, copy = tmp_path / "packages", tmp_path / "copy"
    packages.mkdir()
    for module in (sqlalchemy, prometheus_client):
        path = Path(str(module.__file__)).parent
        (packages / path.name).symlink_to(path)
    (packages / "typing_extensions.py").symlink_to(str(typing_extensions.__file__))
    if greenlet := find_spec("greenlet"):
        path = Path(str(greenlet.origin)).parent
        (packages / path.name).symlink_to(path)
    shutil.copytree(ROOT / "app" / "pool", copy / "elsewhere" / "pool")
    script = USE.format(packages=str(packages), copy=str(copy))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    used = 'db_client_connection_state="used",worker="0"} 1.0'
    assert used in done.stdout
