"""Errors of programs: what they print when they cannot start, or show when set up wrongly."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from loadtest.lab.ports import free_port
from tests.errors import Server, reproduces
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
# Counts its requests with prometheus_client as it comes: each worker has its own registry.
COUNTING = """
from prometheus_client import Counter, generate_latest
seen = Counter("seen", "Requests.")
def app(environ, start_response):
    body = generate_latest()
    if environ["PATH_INFO"] == "/":
        seen.inc()
        body = str(__import__("os").getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
"""


def gunicorn(server: Server, *arguments: str, **settings: str) -> str:
    """What this application's gunicorn prints before it gives up."""
    with tempfile.TemporaryDirectory() as directory:
        key = Path(directory) / "key"
        key.write_text("a key")
        own = {"CLINIC_SECRET_KEY_FILE": str(key), "CLINIC_BIND": f"127.0.0.1:{free_port()}",
               "CLINIC_METRICS_BIND": f"127.0.0.1:{free_port()}"}  # fmt: skip
        environment = {**os.environ, **server.environment("app"), **own, **settings}
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            "python:app.server",
            "app:create_app()",
            *arguments,
        ]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode, "it started"
    return done.stdout + done.stderr


@reproduces("port-in-use")
def port_in_use(server: Server) -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return gunicorn(server, CLINIC_BIND=f"127.0.0.1:{taken.getsockname()[1]}")


@reproduces("secret-unreadable")
def secret_unreadable(server: Server) -> str:
    return gunicorn(server, CLINIC_DB_PASSWORD_FILE="/run/secrets/clinic/db_password")


@reproduces("schema-too-old")
def schema_too_old(server: Server) -> str:
    """/readyz of an application whose database nobody has migrated."""
    script = (
        "from app import create_app\n"
        "answer = create_app().test_client().get('/readyz')\n"
        "print(answer.status_code, answer.json['detail'])"
    )
    environment = {**os.environ, **server.environment("app")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@reproduces("no-application-context", needs="nothing")
def no_application_context() -> None:
    from app.clinic.models import Patient
    from app.database import db

    db.session.get(Patient, 1)


@reproduces("metrics-under-gunicorn", needs="nothing")
def metrics_under_gunicorn() -> str:
    """Two workers, each with a registry: what a scrape finds depends on who answers."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "counting.py").write_text(COUNTING)
        command = [sys.executable, "-m", "gunicorn", "--workers=2", f"--bind=127.0.0.1:{port}",
                   "--log-level=error",
                   "--no-control-socket", "counting:app"]  # fmt: skip
        process = subprocess.Popen(command, cwd=directory)
        try:
            workers: set[str] = set()
            asked = 0
            eventually(lambda: _get(port, "/"))
            while len(workers) < 2:
                workers.add(_get(port, "/"))
                asked += 1
            found: set[float] = set()

            def scraped() -> bool:
                found.add(_seen(_get(port, "/metrics")))
                return len(found) > 1

            eventually(scraped, within=30)
        finally:
            process.terminate()
            process.wait(10)
    assert max(found) < asked + 1, (found, asked)
    return f"{asked + 1} requests; scrapes say {' and '.join(f'{one:g}' for one in sorted(found))}"


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def _seen(text: str) -> float:
    match = re.search(r"^seen_total (\S+)", text, re.MULTILINE)
    assert match, text
    return float(match[1])


@reproduces("exporter-without-user", needs="docker")
def exporter_without_user() -> str:
    command = ["docker", "run", "--rm", "prom/mysqld-exporter:v0.19.0",
               "--mysqld.address=127.0.0.1:3306",
               "--config.my-cnf=/nowhere"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode, "it started"
    return done.stdout + done.stderr


@reproduces("port-allocated", needs="docker")
def port_allocated() -> str:
    """A container that wants a port of this machine that is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [
            "docker",
            "run",
            "--rm",
            f"--publish=127.0.0.1:{port}:80",
            "nginxinc/nginx-unprivileged:1.26.3",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode, "it started"
    return done.stdout + done.stderr


@reproduces("no-data", needs="docker")
def no_data() -> str:
    """A query whose metric lacks `_total`: no error, no data."""
    with tempfile.TemporaryDirectory() as directory:
        tests = Path(directory) / "query.yml"
        tests.write_text(
            "rule_files: []\ntests:\n- promql_expr_test:\n"
            "  - {expr: 'rate(db_client_connection_timeouts[5m])', eval_time: 5m,\n"
            "     exp_samples: [{labels: '{}', value: 0.0167}]}\n  input_series:\n"
            "  - {series: db_client_connection_timeouts_total, values: '0+1x10'}\n"
        )
        Path(directory).chmod(0o755)
        command = ["docker", "run", "--rm", f"--volume={directory}:/rules:ro",
                   "--entrypoint=promtool",
                   "prom/prometheus:v3.5.3", "test", "rules", "/rules/query.yml"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode, "there was data"
    return done.stdout + done.stderr
