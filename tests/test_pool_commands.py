"""``flask pool``: what its users see, on a real database and beside running applications."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import CompletedProcess
from time import monotonic
from typing import Any

import pytest

from app import pool_status
from app.pool_commands import GRACEFUL_TIMEOUT, PROXY_TIMEOUT
from loadtest.lab.application import Application
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.ports import free_port
from tests.conftest import ROOT, flask
from tests.waiting import eventually

SIZE, OVERFLOW, WORKERS = 2, 1, 2
SETTINGS = {
    "CLINIC_WORKERS": str(WORKERS),
    "CLINIC_THREADS": "8",
    "CLINIC_POOL_SIZE": str(SIZE),
    "CLINIC_POOL_MAX_OVERFLOW": str(OVERFLOW),
    "CLINIC_POOL_TIMEOUT": "10",
    "CLINIC_LAB_ENABLED": "true",
}
ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def double(database: PrivateDatabase) -> Iterator[Application]:
    """Two workers with pools of 2+1, and the lab."""
    with Application.running(database, **SETTINGS) as application:
        yield application


@pytest.fixture(scope="module")
def single(database: PrivateDatabase) -> Iterator[Application]:
    """A replica of one worker."""
    with Application.running(database, **{**SETTINGS, "CLINIC_WORKERS": "1"}) as application:
        yield application


def at(application: Application) -> str:
    return application.metrics_url.removeprefix("http://").removesuffix("/metrics")


@contextmanager
def held(application: Application, requests: int, seconds: float) -> Iterator[None]:
    """Meanwhile *requests* hold a connection, or wait for one."""

    def hold(_: int) -> None:
        urllib.request.urlopen(f"{application.url}/lab/hold?seconds={seconds}", timeout=30).close()

    with ThreadPoolExecutor(requests) as pool:
        running = [pool.submit(hold, number) for number in range(requests)]
        yield
        for one in running:
            one.result()


def rows(page: str) -> list[list[str]]:
    """The words of the lines of the workers' table, its headings left out."""
    table = page.split("\n\n")[1].splitlines()
    end_of_headings = next(i for i, line in enumerate(table) if "worker" in line)
    return [line.replace("≤ ", "≤").split() for line in table[end_of_headings + 1 :]]


def page_with(database: PrivateDatabase, words: str, *replicas: Application) -> str:
    targets = [argument for replica in replicas for argument in ("--at", at(replica))]
    page = flask(database, "pool", "status", *targets).stdout
    assert re.search(words, page)
    return page


def test_status_of_two_replicas(
    database: PrivateDatabase, double: Application, single: Application
) -> None:
    with held(double, 1, seconds=4), held(single, 2, seconds=4):
        page = eventually(lambda: page_with(database, "3 of 9", double, single))
    *workers, total = rows(page)
    assert [row[:2] for row in workers] == [[at(double), "0"], [at(double), "1"], [at(single), "0"]]
    assert [row[5] for row in workers] == [str(SIZE + OVERFLOW)] * 3
    assert total[:2] == ["all", "3"]
    assert total[4] == "9"
    assert page.startswith("3 of 9 connections used, nobody waits\n")
    assert re.search(r"connections +held now by\s+3 +/lab/hold", page)


def test_status_tells_who_waits_and_for_how_long(
    database: PrivateDatabase, double: Application, single: Application
) -> None:
    with held(double, 1, seconds=4), held(single, 8, seconds=2):
        page = eventually(lambda: page_with(database, "[25] threads wait", double, single))
    full, total = rows(page)[-2:]
    used, _, overflow, limit, waiting, oldest_wait = full[2:8]
    assert used == limit == "3"
    assert overflow == str(OVERFLOW)
    assert float(oldest_wait) > 0
    assert total[1] == "4"
    assert total[5:7] == [waiting, oldest_wait]
    assert int(total[7].removeprefix("≤")) >= 4
    assert f"{waiting} threads wait, for up to {oldest_wait} s\n" in page


def test_page_without_a_terminal_is_plain_and_one(
    database: PrivateDatabase, single: Application
) -> None:
    done = flask(database, "pool", "status", "--at", at(single))
    assert done.returncode == 0
    assert ESCAPE not in done.stdout
    assert done.stdout.startswith("0 of 3 connections used, nobody waits\n")
    assert done.stdout.rstrip().endswith("Nobody holds a connection now.")
    assert "…" not in done.stdout
    assert done.stdout.count("of 3 connections") == 1
    assert done.stderr == ""


def test_metrics_bind_is_asked_and_a_wildcard_means_loopback(
    database: PrivateDatabase, single: Application
) -> None:
    port = at(single).rpartition(":")[2]
    done = flask(database, "pool", "status", CLINIC_METRICS_BIND=f"0.0.0.0:{port}")
    assert "0 of 3 connections used" in done.stdout


def test_in_a_terminal_it_goes_on_until_interrupted(
    database: PrivateDatabase, single: Application
) -> None:
    with in_terminal(database, "pool", "status", "--at", at(single)) as (process, shown):
        eventually(lambda: shown().count("of 3 connections used") >= 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
        assert ESCAPE in shown()
        assert "Traceback" not in shown()
        assert "Aborted" not in shown()


def test_once_in_a_terminal_ends_by_itself(database: PrivateDatabase, single: Application) -> None:
    with in_terminal(database, "pool", "status", "--once", "--at", at(single)) as (process, shown):
        assert process.wait(20) == 0
        eventually(lambda: "Nobody holds a connection now." in shown())


@contextmanager
def in_terminal(
    database: PrivateDatabase, *command: str
) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """Run a flask command in a terminal; the process, and what it has shown so far."""
    ours, its = pty.openpty()
    size = {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "app", *command],
        cwd=ROOT,
        env={**os.environ, **database.environment("app"), **size},
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    output: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(ours, output))
    reader.start()
    try:
        yield process, lambda: b"".join(output).decode(errors="replace")
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(ours)


def read_all(handle: int, output: list[bytes]) -> None:
    try:
        while chunk := os.read(handle, 4096):
            output.append(chunk)
    except OSError:  # its end is closed
        return


def status(database: PrivateDatabase, *targets: str) -> CompletedProcess[str]:
    """The status of *targets*, some of which cannot be asked."""
    arguments = [argument for target in targets for argument in ("--at", target)]
    done = flask(database, "pool", "status", *arguments, check=False)
    assert "Traceback" not in done.stderr
    return done


def test_a_replica_that_does_not_answer_is_named(
    database: PrivateDatabase, single: Application
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    done = status(database, at(single), nobody)
    assert done.returncode == 3
    assert f"{nobody} does not answer (Connection refused)" in done.stdout
    assert [row[0] for row in rows(done.stdout)] == [at(single), "all"]
    assert "not the whole fleet" in done.stderr


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("127.0.0.1:{port}", "does not answer (Connection refused)"),
        ("nowhere.invalid:9200", "is not found ("),
    ],
)
def test_nobody_answers(database: PrivateDatabase, target: str, reason: str) -> None:
    target = target.format(port=free_port())
    done = status(database, target)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {target} {reason}")
    assert "CLINIC_METRICS_BIND" in done.stderr
    assert "--at HOST:PORT" in done.stderr


def test_another_port_than_that_of_metrics(database: PrivateDatabase, single: Application) -> None:
    done = status(database, single.url.removeprefix("http://"))
    assert done.returncode == 3
    assert "answers, but not with pool metrics" in done.stderr


def test_a_port_that_never_answers_is_given_up(database: PrivateDatabase) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = monotonic()
        fleet = pool_status.ask([f"127.0.0.1:{silent.getsockname()[1]}"])
    assert "does not answer (timed out)" in fleet.problems[0]
    assert monotonic() - began < 2 * pool_status.TIMEOUT


def test_malformed_address_is_wrong_usage(database: PrivateDatabase) -> None:
    done = status(database, "here")
    assert done.returncode == 2
    assert "'here' should be HOST:PORT" in done.stderr


@contextmanager
def answering(port: int, *hosts: str, text: str) -> Iterator[None]:
    """Answer with *text* on *port* of each of *hosts*."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None: ...

    servers = [ThreadingHTTPServer((host, port), Answer) for host in hosts]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def test_every_address_of_a_name_is_asked(
    single: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(name: str, port: int, **_: Any) -> list[Any]:
        assert name == "app"
        ipv4 = [(socket.AF_INET, host, port) for host in ("127.0.0.3", "127.0.0.2", "127.0.0.3")]
        # The second way to a container that has two.
        ipv6 = (socket.AF_INET6, "::1", port, 0, 0)
        return [(family, socket.SOCK_STREAM, 6, "", address) for family, *address in (ipv6, *ipv4)]

    with urllib.request.urlopen(single.metrics_url) as answer:
        text = answer.read().decode()
    port = free_port()
    with answering(port, "127.0.0.2", "127.0.0.3", text=text), monkeypatch.context() as patch:
        real = socket.getaddrinfo
        patch.setattr(
            "app.pool_status.socket.getaddrinfo",
            lambda name, *a, **k: (resolve if name == "app" else real)(name, *a, **k),
        )
        fleet = pool_status.ask([f"app:{port}", f"127.0.0.2:{port}"])
    assert [replica.address for replica in fleet.replicas] == [
        f"127.0.0.2:{port}",
        f"127.0.0.3:{port}",
    ]
    assert fleet.problems == []
    assert fleet.total[pool_status.LIMIT] == 6


def test_an_unlimited_pool_has_no_number_as_limit(database: PrivateDatabase) -> None:
    text = (
        "# TYPE db_client_connection_max gauge\n"
        'db_client_connection_max{db_client_connection_pool_name="x",worker="0"} +Inf\n'
    )
    port = free_port()
    with answering(port, "127.0.0.1", text=text):
        assert "0 of ∞ connections used" in status(database, f"127.0.0.1:{port}").stdout


def budget(database: PrivateDatabase, **settings: Any) -> CompletedProcess[str]:
    done = flask(database, "pool", "budget", check=False, **settings)
    assert "Traceback" not in done.stderr
    return done


def test_budget_that_fits(database: PrivateDatabase) -> None:
    done = budget(database)
    assert done.returncode == 0
    needed, restart, granted, _, verdict = done.stdout.splitlines()
    assert needed.split(maxsplit=2)[1:] == ["12", "2 workers x (4 + 2) x 1 replica"]
    assert restart.split()[2] == "24"
    assert granted.split()[1] == "141"
    assert granted.endswith("max_connections, 151, less 10 reserved")
    assert verdict == "Fits, also during a rolling restart."


def test_budget_that_does_not_fit(database: PrivateDatabase) -> None:
    done = budget(database, CLINIC_REPLICAS="12")
    assert done.returncode == 1
    assert "Does not fit: 3 too many." in done.stdout


def test_budget_that_fits_until_a_restart(database: PrivateDatabase) -> None:
    done = budget(database, CLINIC_REPLICAS="11")
    assert done.returncode == 0
    assert "Fits, but not during a rolling restart." in done.stdout


def test_budget_for_a_program(database: PrivateDatabase) -> None:
    done = flask(database, "pool", "budget", "--json", check=False, CLINIC_REPLICAS="12")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["needed"], found["granted"], found["fits"]) == (144, 141, False)
    assert found["needed_in_rolling_restart"] == 156


def test_budget_of_more_replicas_than_there_are(database: PrivateDatabase) -> None:
    done = flask(database, "pool", "budget", "--replicas", "12", check=False)
    assert done.returncode == 1
    assert "2 workers x (4 + 2) x 12 replicas" in done.stdout


def test_budget_without_the_server(database: PrivateDatabase) -> None:
    done = budget(database, CLINIC_DB_PORT=str(free_port()))
    assert done.returncode == 3
    assert done.stderr.startswith("Error: Cannot use the database: Can't connect to MySQL server")


def lint(database: PrivateDatabase, *options: str, **settings: Any) -> CompletedProcess[str]:
    done = flask(database, "pool", "lint", *options, check=False, **settings)
    assert "Traceback" not in done.stderr
    return done


def test_default_settings_lint_clean(database: PrivateDatabase) -> None:
    done = lint(database, "--strict")
    assert (done.returncode, done.stdout) == (0, "No findings.\n")


def test_errors_fail_and_say_what_why_and_what_to_change(database: PrivateDatabase) -> None:
    done = lint(database, CLINIC_REPLICAS="12")
    assert done.returncode == 1
    title, what, *_ = done.stdout.splitlines()
    assert title == "error: budget  CLINIC_POOL_SIZE"
    assert what.startswith("  what    The pools may open more connections than the server grants")
    assert "\n  why     The server refuses the rest (error 1040)" in done.stdout
    assert "\n  change  Lower pool_size + pool_max_overflow to 5" in done.stdout
    assert done.stdout.endswith("\n1 error, 0 warnings.\n")


def test_warnings_fail_where_that_is_asked_for(database: PrivateDatabase) -> None:
    few = {"CLINIC_THREADS": "8"}
    done = lint(database, **few)
    assert done.returncode == 0
    assert "warning: hidden-queue  CLINIC_THREADS" in done.stdout
    assert lint(database, "--strict", **few).returncode == 1


def test_nested_checkouts_are_judged_where_they_are_told(database: PrivateDatabase) -> None:
    done = lint(database, "--held-at-once", "2")
    assert done.returncode == 1
    assert "16 x 1 + 1 = 17; the pool has 6" in done.stdout


def test_without_the_server_it_says_what_was_not_checked(database: PrivateDatabase) -> None:
    away = {"CLINIC_DB_PORT": str(free_port())}
    done = lint(database, **away)
    assert done.returncode == 0
    assert done.stdout.startswith(
        "Not checked: budget, rolling-restart, recycle. Cannot use the database: Can't connect"
    )
    found = json.loads(lint(database, "--json", **away).stdout)
    assert [each["rule"] for each in found["skipped"]] == ["budget", "rolling-restart", "recycle"]
    assert "Can't connect" in found["problem"]


def test_findings_for_a_program(database: PrivateDatabase) -> None:
    done = lint(database, "--json", CLINIC_POOL_RECYCLE="100000")
    assert done.returncode == 0
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["rule"] == "recycle"
    assert finding["severity"] == "warning"
    assert (finding["setting"], finding["variable"]) == ("pool_recycle", "CLINIC_POOL_RECYCLE")


def test_timeouts_around_are_those_of_nginx_and_gunicorn() -> None:
    nginx = (ROOT / "compose/nginx/nginx.conf").read_text()
    assert re.findall(r"proxy_read_timeout +(\d+)s;", nginx) == [str(PROXY_TIMEOUT)]
    gunicorn = (ROOT / "app/server.py").read_text()
    assert re.findall(r"^graceful_timeout = (\d+)$", gunicorn, re.M) == [str(GRACEFUL_TIMEOUT)]
