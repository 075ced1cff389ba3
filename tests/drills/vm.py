"""vm-setup/ on a real virtual machine: set up, interrupted, attacked, restarted, and recovered.

    make test-vm

The machine is Debian's, with the user-data that a cloud would give it. MySQL comes from Debian's
repository where MySQL's own cannot be reached; the result names which. Writes its figures to
docs/results/.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.drills import record
from tests.grants import STATEMENTS, as_expected, matrix
from tests.stack.stack import ROOT, Stack, docker
from tests.stack.traffic import Traffic, ask, free_slots
from tests.vm.image import mirror
from tests.vm.machine import Machine
from tests.vm.qemu import accelerator
from tests.vm.seed import render
from tests.vm.stack import PROJECT, MachineStack
from tests.waiting import eventually

MYSQL_REPOSITORY = "https://repo.mysql.com/apt/debian/dists/"
STEPS = ("base", "data", "firewall", "docker", "images", "secrets", "mysql", "accounts", "stack",
         "backup")  # fmt: skip
SERVICES = "app nginx prometheus mysqld-exporter node-exporter"
IMAGES = ("poolsight-app:local", "nginxinc/nginx-unprivileged:1.26.3", "prom/prometheus:v3.5.3",
          "prom/mysqld-exporter:v0.19.0", "prom/node-exporter:v1.11.1")  # fmt: skip
# What is patient enough on a processor is not where it is emulated: to connect takes longer.
EMULATED = "CLINIC_POOL_TIMEOUT=4\nCLINIC_DB_CONNECT_TIMEOUT=8"
CLIENTS = 2  # of an emulated processor
MORE = 4  # with them as many as one worker may open connections, so that nobody waits for one
EXPOSURE = 2.0  # of systemd-analyze security, at most


class SetUp:
    """`vm-setup/up ssh` on one machine."""

    def __init__(self, machine: Machine, source: str) -> None:
        self._machine = machine
        self._command = ["vm-setup/up", "ssh", f"{machine.user}@127.0.0.1"]
        self._environment = {
            **os.environ,
            "SSH_OPTIONS": shlex.join(machine.ssh_options),
            "HOST_DATA_DISK": "/dev/disk/by-id/virtio-data",
            "MYSQL_SOURCE": source,
            "STACK_SERVICES": SERVICES,
            "APP_SETTINGS": EMULATED if accelerator()[1].startswith("tcg") else "",
        }

    def run(self) -> str:
        """Run it to its end; return what it said."""
        done = subprocess.run(
            self._command, cwd=ROOT, env=self._environment, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stdout[-5000:])
        return done.stdout

    def deliver(self) -> None:
        """Bring the project and its settings there."""
        command = ["vm-setup/deliver.sh", *self._command[1:]]
        subprocess.run(command, cwd=ROOT, env=self._environment, check=True, timeout=300)

    def interrupted(self, step: str) -> bool:
        """Run a step until it makes something, kill it there, and run it again to its end.

        Returns: whether it made anything.
        """
        script = f"sudo {PROJECT}/vm-setup/host/{step}.sh"
        ssh = ["ssh", *self._machine.ssh_options, f"{self._machine.user}@127.0.0.1", script]
        with subprocess.Popen(ssh, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            making = any(line.startswith("making") for line in process.stderr)
            if making:
                self._machine.ssh(f"sudo pkill -9 -f vm-setup/host/{step}.sh", check=False)
                process.kill()
        self._machine.ssh(script, timeout=900)
        return making


def main() -> None:
    """Set up, try everything, and record."""
    source = mysql_source()
    _build()
    packages = "MySQL's own repository" if source == "mysql" else "Debian's packages, sid"
    found: dict[str, Any] = {"mysql source": packages, "seconds": {}}
    user_data = ROOT / "vm-setup/cloud-init.yaml"
    began = time.monotonic()
    # Where a registry can be reached, images would be built and fetched there instead.
    with Machine(lambda key: render(user_data, "ops", key), images=IMAGES) as machine:
        machine.ssh("cloud-init status --wait", timeout=300)
        found["accelerator"] = accelerator()[1]
        found["seconds"]["boot"] = round(time.monotonic() - began)
        stack = MachineStack(machine)
        set_up = SetUp(machine, source)
        checks = _tried(stack, set_up, found)
        version = stack.sql("SELECT VERSION()")[0][0]
    found["seconds"]["all"] = round(time.monotonic() - began)
    found["checks"] = checks
    record("vm", all(checks.values()), f"MySQL {version}", found)


def _tried(stack: MachineStack, set_up: SetUp, found: dict[str, Any]) -> dict[str, bool]:
    checks: dict[str, bool] = {}

    def part(name: str, work: Callable[[], bool]) -> None:
        began = time.monotonic()
        checks[name] = work()
        found["seconds"][name] = round(time.monotonic() - began)
        print(f"{'ok    ' if checks[name] else 'FAILED'} {name}", flush=True)  # noqa: T201

    part("interrupted in every step, it converges", lambda: _converges(stack, set_up, found))
    part("from outside only SSH answers", lambda: _scanned(stack, found))
    part("the account matrix", lambda: _accounts(stack, found))
    part("TLS is verified by the application itself", lambda: _tls(stack, found))
    part("systemd's exposure", lambda: _exposure(stack, found))
    part("after a restart it works", lambda: _restarted(stack))
    part("again, it changes nothing", lambda: _unchanged(set_up))
    part("a password is rotated under load", lambda: _rotated(stack, found))
    part("recovered to the second before a mistake", lambda: _recovered(stack, found))
    part("the restore drill", lambda: _drilled(stack, found))
    part("the audit passes", lambda: _audited(stack, found))  # it wants a drill
    return checks


def mysql_source() -> str:
    """MySQL's own repository where it can be reached; Debian's, with MySQL 9.7, otherwise."""
    try:
        urllib.request.urlopen(MYSQL_REPOSITORY, timeout=10).close()
    except OSError:
        return f"deb {mirror()} sid main"
    return "mysql"


def _build() -> None:
    revision = _revision()
    Stack("poolsight", grafana=False).compose(
        "build", "app", timeout=600, settings={"POOLSIGHT_REVISION": revision}
    )


def _revision() -> str:
    git = ["git", "rev-parse", "HEAD"]
    return subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _converges(stack: MachineStack, set_up: SetUp, found: dict[str, Any]) -> bool:
    set_up.deliver()
    interrupted, seconds = [], {}
    for step in STEPS:
        began = time.monotonic()
        if set_up.interrupted(step):
            interrupted.append(step)
        seconds[step] = round(time.monotonic() - began)
        print(f"       {step}: {seconds[step]} s", flush=True)  # noqa: T201
    found["interrupted in"], found["seconds of each step"] = interrupted, seconds
    return bool(interrupted)


def _unchanged(set_up: SetUp) -> bool:
    said = set_up.run()
    print("".join(line for line in said.splitlines(True) if line.startswith("making")), end="")  # noqa: T201
    return "making" not in said


def _scanned(stack: MachineStack, found: dict[str, Any]) -> bool:
    for _ in range(3):  # a scan that misses even SSH, by which the drill works, has seen nothing
        scan = stack.machine.neighbour.scan()
        found["scan"] = asdict(scan)
        if 22 in scan.open:
            break
    # Also what no scan of TCP sees: who listens to datagrams from everywhere.
    listening = stack.machine.ssh("sudo ss -Hlun").stdout.split("\n")
    found["udp"] = [words[3] for line in listening if (words := line.split())]
    everywhere = [one for one in found["udp"] if one.startswith(("0.0.0.0:", "[::]:", "*:"))]
    return scan.open == [22] and not everywhere


# Each statement by each account, over TLS, from where the accounts are used: a container.
ATTEMPTS = """
import json, os, ssl, sys
import pymysql
accounts, statements = json.load(sys.stdin)
context = ssl.create_default_context(cafile="/accounts/ca.pem")
for account in accounts:
    with open(f"/accounts/{account}_password") as file:
        password = file.read().strip()
    connection = pymysql.connect(host=os.environ["CLINIC_DB_HOST"], user=account, password=password,
                                 ssl=context, autocommit=True)
    for name, statement in statements.items():
        try:
            connection.ping(reconnect=True)
            with connection.cursor() as cursor:
                cursor.execute(statement)
            answer = "done"
        except pymysql.MySQLError as error:
            answer = f"ERROR {error.args[0]} {error.args[-1]}"
        print(json.dumps([account, name, answer]))
"""
MYSQL_UID = "999"  # of the volume with the accounts' passwords


def _accounts(stack: MachineStack, found: dict[str, Any]) -> bool:
    answers = {**_over_tls(stack, "app", "migrator", "exporter"), **_by_socket(stack, "backup")}
    tried = matrix("app", "migrator", "exporter", "backup")
    wrong = [
        [account, name, answers[account, name][:200]]
        for account, name, may in tried
        if not as_expected(may, answers[account, name])
    ]
    found["account matrix"] = {"tried": len(tried), "wrong": wrong}
    return not wrong


def _over_tls(stack: MachineStack, *accounts: str) -> dict[tuple[str, str], str]:
    run = ["docker", "compose", "run", "--rm", "--no-deps", "--no-TTY", "--user", MYSQL_UID,
           "--volume", "poolsight_secrets-mysql:/accounts:ro", "--entrypoint", "python", "app",
           "-c", ATTEMPTS]  # fmt: skip
    said = stack.machine.ssh(
        f"cd {PROJECT} && sudo {shlex.join(run)}", text=json.dumps([accounts, STATEMENTS]),
        timeout=600,
    ).stdout  # fmt: skip
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("[")]
    return {(account, name): answer for account, name, answer in rows}


def _by_socket(stack: MachineStack, account: str) -> dict[tuple[str, str], str]:
    """Each statement is a line, and `mysql --force` says at which it was refused."""
    lines = "".join(f"{statement};\n" for statement in STATEMENTS.values())
    client = f"sudo mysql --user={account} --force --batch 2>&1 >/dev/null"
    said = stack.machine.ssh(client, text=lines, check=False, timeout=300).stdout
    errors = {
        int(line): f"ERROR {code} {rest}"
        for code, line, rest in re.findall(r"ERROR (\d+) \(\w+\) at line (\d+): (.*)", said)
    }
    return {(account, name): errors.get(n, "done") for n, name in enumerate(STATEMENTS, start=1)}


# What the application connects with, asked for a connection in three circumstances by one process,
# as an emulated processor takes a minute to import it.
CONNECT = """
import json, os, pathlib, sys
sys.path.insert(0, "/opt/init")
import pymysql
from authority import Authority
from app.database import connect_args
from app.settings import Settings

def answer(**changed):
    os.environ.update(changed)
    s = Settings.load()
    try:
        pymysql.connect(
            host=s.db_host, user=s.db_user, password=s.db_password, **connect_args(s)
        ).close()
    except pymysql.MySQLError as error:
        return str(error)
    return "connected"

other, name = pathlib.Path("/tmp/other.pem"), os.environ["CLINIC_DB_HOST"]
other.write_text(Authority(lambda name, make, good=bool: make()).certificate)
print(json.dumps([
    answer(),
    answer(CLINIC_DB_HOST="172.30.0.1"),
    answer(CLINIC_DB_HOST=name, CLINIC_DB_CA_FILE=str(other)),
]))
"""


def _tls(stack: MachineStack, found: dict[str, Any]) -> bool:
    said = stack.compose(
        "run", "--rm", "--no-deps", "--no-TTY",
        "--volume", f"{PROJECT}/compose/init:/opt/init:ro", "--entrypoint", "python",
        "app", "-c", CONNECT, timeout=300,
    ).stdout  # fmt: skip
    by_name, by_address, other_authority = json.loads(said.splitlines()[-1])
    found["tls"] = {"name": by_name, "address": by_address, "other authority": other_authority}
    return (
        by_name == "connected"
        # The same server by a name that its certificate does not have.
        and "IP address mismatch" in by_address
        and "certificate verify failed" in other_authority
    )


def _audited(stack: MachineStack, found: dict[str, Any]) -> bool:
    done = stack.machine.ssh(
        f"sudo python3 {PROJECT}/vm-setup/host/audit --json", check=False, timeout=300
    )
    controls = json.loads(done.stdout)
    found["audit"] = controls
    return done.returncode == 0


def _exposure(stack: MachineStack, found: dict[str, Any]) -> bool:
    said = stack.machine.ssh("systemd-analyze security mysql --no-pager | tail -n 1").stdout
    match = re.search(r"(\d+\.\d)", said)
    assert match, said
    exposure = float(match[1])
    found["systemd exposure"] = exposure
    return exposure <= EXPOSURE


def _restarted(stack: MachineStack) -> bool:
    stack.machine.reboot()
    with stack.tunnelled():
        eventually(lambda: stack.get("/readyz")[0] == 200, within=180, every=2)
        pool = 'sum(db_client_connection_max{job="app"})'
        eventually(lambda: (stack.value(pool) or 0) > 0, within=120, every=2)
        slot = free_slots(stack, 1)[0]
        patient = stack.items("/patients?limit=1")[0]["id"]
        booked = ask(
            stack, "POST", "/api/v1/appointments", {"slot_id": slot, "patient_id": patient}
        )
    return booked[0] == 201


def _rotated(stack: MachineStack, found: dict[str, Any]) -> bool:
    with stack.tunnelled(), Traffic(stack, CLIENTS) as traffic:
        eventually(lambda: len(traffic.answers) > 50, within=120, every=1)
        for account in ("app", "exporter"):
            stack.machine.ssh(f"sudo {PROJECT}/vm-setup/host/rotate {account}", timeout=300)
        before = _newest_connection(stack)
        traffic.more(MORE)  # until somebody connects with the new password
        eventually(lambda: _newest_connection(stack) > before, within=240, every=1)
        # Itself: Prometheus may give up before a busy emulated processor has answered.
        signed_in = eventually(lambda: _exporter_is_signed_in(stack), within=120, every=1)
    found["rotation"] = {str(status): number for status, number in traffic.statuses.items()}
    found["exporter signed in after its rotation"] = signed_in
    failed = [one for one in traffic.answers if one.status not in (200, 201)]
    found["rotation's failures"] = [asdict(one) for one in failed]
    return not failed and signed_in


def _exporter_is_signed_in(stack: MachineStack) -> bool:
    ask_it = ("wget", "-q", "-O", "-", "http://127.0.0.1:9104/metrics")
    answer = stack.compose("exec", "-T", "mysqld-exporter", *ask_it, check=False)
    return "\nmysql_up 1\n" in answer.stdout


def _newest_connection(stack: MachineStack) -> int:
    newest = "SELECT MAX(id) FROM performance_schema.processlist WHERE user = 'app'"
    return int(stack.sql(newest)[0][0])


def _recovered(stack: MachineStack, found: dict[str, Any]) -> bool:
    """Book for a minute, drop a table, and go back to the second before."""
    with stack.tunnelled(), _bookings(stack) as booked:
        eventually(lambda: len(booked()) >= 20, within=180, every=1)
        before = {row[0]: row[1] for row in stack.sql("SELECT id, booked_at FROM appointment")}
        mistake = _utc(stack.sql("SELECT UTC_TIMESTAMP()")[0][0])
        eventually(lambda: _utc(stack.sql("SELECT UTC_TIMESTAMP()")[0][0]) > mistake, within=5)
    stack.sql("SET FOREIGN_KEY_CHECKS = 0; DROP TABLE appointment")
    began = time.monotonic()
    said = stack.machine.ssh(
        f"sudo {PROJECT}/vm-setup/host/recover --until '{mistake:%Y-%m-%d %H:%M:%S}' --in-place",
        timeout=900,
    ).stdout
    took = time.monotonic() - began
    due = {key for key, at in before.items() if _utc(at) < mistake}
    rows = {row[0]: row[1] for row in stack.sql("SELECT id, booked_at FROM appointment")}
    newest = max(_utc(at) for at in rows.values())
    with stack.tunnelled():
        eventually(lambda: stack.get("/readyz")[0] == 200, within=60, every=1)
    found["recovery"] = {
        "rows due": len(due),
        "rows missing": len(due - set(rows)),
        "RPO seconds": (mistake - newest).total_seconds(),
        "RTO seconds": round(took),
        "said": said.strip(),
    }
    return not due - set(rows)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@contextmanager
def _bookings(stack: MachineStack) -> Iterator[Callable[[], list[int]]]:
    with Traffic(stack, CLIENTS) as traffic:
        yield lambda: traffic.booked


def _drilled(stack: MachineStack, found: dict[str, Any]) -> bool:
    stack.machine.ssh("sudo systemctl start poolsight-drill", timeout=900)
    found["restore drill"] = stack.machine.ssh(
        "sudo journalctl --unit poolsight-drill --output cat | grep 'are the same' | tail -n 1"
    ).stdout.strip()
    with stack.tunnelled():
        shown = lambda: stack.value("clinic_restore_drill_success") == 1.0  # noqa: E731
        eventually(shown, within=90, every=2)
        age = stack.value("time() - clinic_restore_drill_completed_timestamp_seconds")
    return age is not None and age < timedelta(minutes=20).total_seconds()


if __name__ == "__main__":
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        raise SystemExit("The machine's network is one of Docker's: start Docker first.")
    docker("version")
    main()
