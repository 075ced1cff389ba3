"""Finds a MySQL or MariaDB server on this machine, or installs one where that is permitted."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from loadtest.lab.errors import LabError
from loadtest.lab.processes import indented

NAMES = ("mysqld", "mariadbd")
# Servers live outside a user's PATH on most distributions.
EXTRA_DIRECTORIES = (
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/libexec",
    "/opt/homebrew/opt/mariadb/bin",
    "/usr/local/opt/mariadb/bin",
)
PACKAGE = "mariadb-server-core"
HOW_TO_INSTALL = """\
Install one, then run the same command again:
    Debian, Ubuntu   sudo apt-get update && sudo apt-get install mariadb-server-core
    Fedora, RHEL     sudo dnf install mariadb-server
    macOS            brew install mariadb"""


def find_or_install() -> Path:
    """Return the path of a server binary, after installing one with apt where necessary.

    Raises LabError with the commands to run by hand.
    """
    found = find()
    if found:
        return found
    install()
    found = find()
    if not found:
        raise LabError(f"{PACKAGE} was installed, but no server binary. {HOW_TO_INSTALL}")
    return found


def find() -> Path | None:
    """Return the first server binary in PATH and the usual directories, or None."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *EXTRA_DIRECTORIES))
    found = (shutil.which(name, path=path) for name in NAMES)
    return next((Path(binary) for binary in found if binary), None)


def install() -> None:
    """Install MariaDB's server binary with apt, as root or by passwordless sudo."""
    prefix = _permission()
    sys.stderr.write(f"No MySQL or MariaDB server here: installing {PACKAGE} with apt ...\n")
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", PACKAGE]):
        command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            tail = indented(done.stderr.splitlines())
            raise LabError(f"apt-get {arguments[0]} failed:\n{tail}\n{HOW_TO_INSTALL}")


def system_tables(binary: Path) -> str:
    """Return the SQL which MariaDB ships for its own tables.

    Read here, since the script that usually does it needs the client package too.
    """
    settings = dict(
        line.split(None, 1)
        for line in output(binary, "--no-defaults", "--verbose", "--help").splitlines()
        if line.startswith("character-sets-dir ")
    )
    share = Path(settings.get("character-sets-dir", "/usr/share/mysql/charsets").strip()).parent
    # Named after MariaDB since its version 11.
    prefix = "mariadb" if (share / "mariadb_system_tables.sql").exists() else "mysql"
    names = ("system_tables", "performance_tables", "system_tables_data")
    try:
        scripts = [(share / f"{prefix}_{name}.sql").read_text() for name in names]
    except OSError as error:
        raise LabError(f"{binary} lacks its SQL files: {error}") from error
    start = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
    return start + "\n".join(scripts) + "\n"


def product(version: str) -> str:
    """Return what a server's ``--version`` line says it is, in two words."""
    number = re.search(r"\d+\.\d+\.\d+", version)
    name = "MariaDB" if "MariaDB" in version else "MySQL"
    return f"{name} {number.group() if number else '?'}"


def output(*command: str | Path) -> str:
    """Return what ``command`` prints."""
    return subprocess.run(  # noqa: S603
        [str(word) for word in command], capture_output=True, text=True, check=False
    ).stdout


def _permission() -> list[str]:
    """Return what to put before apt-get; raise LabError where it may not be run."""
    if not shutil.which("apt-get"):
        raise LabError(f"No MySQL or MariaDB server was found, and no apt. {HOW_TO_INSTALL}")
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True).returncode == 0:  # noqa: S603
        return [sudo, "-n"]
    raise LabError(
        "No MySQL or MariaDB server was found, and installing one needs root or "
        f"passwordless sudo. {HOW_TO_INSTALL}"
    )
