"""Make the stack's passwords and certificates, and give each consumer its own and nothing else.

The masters are in /state, which only this container mounts; each consumer has a volume under
/volumes, read-only where it is used. What exists is kept and what is missing is made, every file
by an atomic rename, so an interrupted run is completed by the next one.

    init.py               make and hand out (done at every start of the stack)
    init.py show NAME     print one master, for example grafana_admin_password
    init.py draft NAME    make a new one beside it and print it; again, print the same
    init.py promote NAME  put the new one in its place, and hand out
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from authority import Authority

STATE = Path("/state")
VOLUMES = Path("/volumes")
PASSWORDS = (
    "root_password",
    "app_password",
    "migrator_password",
    "exporter_password",
    "replicator_password",
    "flask_secret_key",
    "grafana_admin_password",
)
BYTES = {"replicator_password": 24}  # of randomness; MySQL takes 32 characters for replication
# Where clients may meet a MySQL server, or a replica of it through MySQL Router.
SERVER_NAMES = ("mysql", "toxiproxy", "router", "localhost", "host.docker.internal", "127.0.0.1")
NEXT = "_next"  # of a master's name: what is about to replace it
MOUNT = "/run/secrets/clinic"  # where every consumer sees its own volume


@dataclass(frozen=True)
class Volume:
    """The files of one consumer, readable by its user id and by nobody else."""

    name: str
    uid: int
    files: dict[str, str]


def main(arguments: list[str]) -> int:
    """Run the command line `arguments`; return the exit status."""
    STATE.chmod(0o700)
    match arguments:
        case []:
            hand_out()
        case ["show", name] if name in PASSWORDS:
            sys.stdout.write(master(name) + "\n")
        case ["draft", name] if name in PASSWORDS:
            sys.stdout.write(keep(f"{name}{NEXT}", lambda: password(name)) + "\n")
        case ["promote", name] if name in PASSWORDS:
            if (STATE / f"{name}{NEXT}").exists():
                (STATE / f"{name}{NEXT}").replace(STATE / name)
            hand_out()
        case _:
            names = ", ".join(PASSWORDS)
            sys.stderr.write(f"usage: init [show|draft|promote NAME], with NAME one of {names}\n")
            return 2
    return 0


def hand_out() -> None:
    """Write every consumer's volume from the masters."""
    for volume in volumes():
        for name, text in volume.files.items():
            write(VOLUMES / volume.name / name, text, uid=volume.uid)
        remove_others(VOLUMES / volume.name, keep=set(volume.files))
        sys.stdout.write(f"init: {volume.name} (uid {volume.uid}): {', '.join(volume.files)}\n")


def volumes() -> list[Volume]:
    """Say who gets what: the whole distribution of secrets is in this list."""
    authority = Authority(keep)
    ca = authority.certificate
    server = authority.server(server_names())
    exporter = client_file("exporter", master("exporter_password"))
    return [
        Volume(
            "mysql",
            999,
            {
                "ca.pem": ca,
                "server_cert.pem": server.certificate,
                "server_key.pem": server.key,
                "root_password": master("root_password"),
                "root.cnf": client_file("root", master("root_password")),
                "exporter.cnf": exporter,
                "app_password": master("app_password"),
                "migrator_password": master("migrator_password"),
                "exporter_password": master("exporter_password"),
                "replicator_password": master("replicator_password"),
            },
        ),
        Volume(
            "app",
            10001,
            {
                "ca.pem": ca,
                "db_password": master("app_password"),
                "secret_key": master("flask_secret_key"),
            },
        ),
        Volume("migrate", 10001, {"ca.pem": ca, "db_password": master("migrator_password")}),
        Volume("exporter", 65534, {"ca.pem": ca, "exporter.cnf": exporter}),
        Volume("grafana", 472, {"admin_password": master("grafana_admin_password")}),
    ]


def server_names() -> list[str]:
    """Return the names and addresses under which clients may meet the MySQL servers."""
    told = (os.environ.get(name, "") for name in ("CLINIC_DB_HOST", "CLINIC_DB_REPLICA_HOST"))
    replicas = os.environ.get("CLINIC_DB_REPLICAS", "").split(",")
    hosts = (replica.strip().rpartition(":")[0] for replica in replicas)
    return sorted({*SERVER_NAMES, *filter(None, [*told, *hosts])})


def client_file(user: str, password: str) -> str:
    """Return an option file for MySQL's own clients and for mysqld_exporter."""
    return f"[client]\nuser={user}\npassword={password}\nssl-ca={MOUNT}/ca.pem\n"


def master(name: str) -> str:
    """Return the password `name`, made on first use."""
    return keep(name, lambda: password(name))


def password(name: str) -> str:
    """Return 192 or 256 random bits in URL-safe characters, of every kind that MySQL wants."""
    while True:
        text = secrets.token_urlsafe(BYTES.get(name, 32))
        if all(re.search(kind, text) for kind in ("[a-z]", "[A-Z]", "[0-9]", "[-_]")):
            return text


def keep(name: str, make: Callable[[], str], good: Callable[[str], bool] = bool) -> str:
    """Return the master `name`; make it when it is missing or no longer `good`."""
    path = STATE / name
    if path.exists() and good(path.read_text()):
        return path.read_text()
    text = make()
    write(path, text, uid=0)
    return text


def write(path: Path, text: str, uid: int) -> None:
    """Replace `path` in one step by `text`, readable by `uid` alone."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o400), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    # Given away last: afterwards even root, without its capabilities, cannot open it.
    os.chown(draft, uid, uid)
    draft.replace(path)


def remove_others(directory: Path, keep: set[str]) -> None:
    """Remove what an earlier version or an interrupted run left in `directory`."""
    for path in directory.iterdir():
        if path.name not in keep:
            path.unlink()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
