"""Files: whose they are, who may read them, and on which disk."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from controls import Verdict, accepted, control, failed, holds, none_of, passed
from facts import Database

SYSTEM = {"/", "/var", "/usr"}
SETTINGS = Path("/etc/poolsight/settings.sh")
CONFIGURATION = (Path("/etc/my.cnf"), Path("/etc/mysql"))
OWN = "mysql:mysql"

Variables = dict[str, str]


@dataclass(frozen=True)
class Entry:
    """A file or folder: its mode and whose it is."""

    path: Path
    mode: int
    owner: str  # user:group

    def __str__(self) -> str:
        return f"{self.path} {self.mode:04o} {self.owner}"

    @classmethod
    def of(cls, path: Path) -> Entry:
        """Look at it."""
        return cls(path, path.stat().st_mode & 0o7777, f"{path.owner()}:{path.group()}")

    def within(self, most: int, *owners: str) -> bool:
        """Whether it allows no more than *most*, and is of one of *owners*."""
        return not self.mode & ~most and self.owner in owners


def kept(entries: Iterable[Entry], most: int, owner: str) -> Verdict:
    """Whether all *entries* are within *most* and *owner*'s."""
    seen = list(entries)
    wrong = [str(one) for one in seen if not one.within(most, owner)]
    listed = ", ".join(map(str, seen)) if len(seen) <= 3 else f"{len(seen)} files"
    return none_of(wrong, listed or "no such file")


def _data(variables: Variables) -> list[Path]:
    return [Path(variables["datadir"])]


def _system_tablespace(variables: Variables) -> list[Path]:
    return [Path(variables["datadir"]) / "ibdata1"]


def _beginning(name: str, variables: Variables) -> list[Path]:
    value = variables[name]
    base = Path(variables["datadir"]) / value
    return sorted(base.parent.glob(f"{base.name}.*")) if value else []


def _binary_logs(variables: Variables) -> list[Path]:
    found = _beginning("log_bin_basename", variables)
    if not found:
        raise LookupError("there is no binary log")
    return found


def _slow_log(variables: Variables) -> list[Path]:
    base = Path(variables["datadir"]) / variables["slow_query_log_file"]
    return sorted(base.parent.glob(f"{base.name}*"))


def _tls_files(variables: Variables) -> list[Path]:
    names = re.compile(r"(admin_|mysqlx_)?ssl_(ca|cert|crl|key)")
    values = {value for name, value in variables.items() if value and names.fullmatch(name)}
    return [Path(variables["datadir"]) / value for value in sorted(values)]


def _backup_secrets(_: Variables) -> list[Path]:
    return [Path("/etc/poolsight/restic_password"), Path("/etc/poolsight/backup.env")]


Paths = Callable[[Variables], list[Path]]

# id, what it is, which paths, the most it may allow, whose it has to be, the same rule elsewhere
MODES: tuple[tuple[str, str, Paths, int, str, tuple[str, ...]], ...] = (
    ("cis-3.1", "The data directory", _data, 0o750, OWN, ("mysql-conf-04",)),
    ("cis-3.2", "Binary logs", _binary_logs, 0o660, OWN, ()),
    ("cis-3.4", "The log of slow statements", _slow_log, 0o660, OWN, ()),
    ("cis-3.5", "Relay logs", partial(_beginning, "relay_log_basename"), 0o660, OWN, ()),
    ("cis-3.7", "Key and certificates", _tls_files, 0o400, OWN, ()),
    ("mysql-conf-05", "The system tablespace", _system_tablespace, 0o660, OWN, ()),
    ("cis-2.1.3", "What opens the backups", _backup_secrets, 0o600, "root:root", ()),
)


def is_kept(paths: Paths, most: int, owner: str, database: Database) -> Verdict:
    """Whether the files are within *most* and *owner*'s."""
    return kept(map(Entry.of, paths(database.variables)), most, owner)


for _id, _what, _paths, _most, _owner, _also in MODES:
    _remedy = f"chown {_owner} and chmod {_most:o}, for each."
    control(_id, f"{_what}: for {_owner} only ({_most:04o})", _remedy, *_also)(
        partial(is_kept, _paths, _most, _owner)
    )


@control(
    "cis-3.3",
    "The error log: for mysql:mysql only (0600)",
    "chmod 640 and chown mysql:adm; see /etc/logrotate.d.",
    "mysql-conf-06",
)
def error_log_is_kept(database: Database) -> Verdict:
    """Debian and dev-sec let the group adm read it."""
    entry = Entry.of(Path(database.variables["datadir"]) / database.variables["log_error"])
    if entry.within(0o600, OWN):
        return passed(str(entry))
    if not entry.within(0o640, OWN, "mysql:adm"):
        return failed(str(entry))
    return accepted("adm is the group of who reads logs here; others read nothing.", str(entry))


@control(
    "cis-3.6",
    "The log of all statements is off, and none is left over",
    "SET GLOBAL general_log = OFF, remove the file, and look into /etc/mysql for who turned it on.",
)
def general_log_is_off(database: Database) -> Verdict:
    """It would hold patients' data."""
    state = database.variables["general_log"]
    path = Path(database.variables["datadir"]) / database.variables["general_log_file"]
    left = path.exists()
    evidence = f"general_log = {state}, {path} is {'there' if left else 'not there'}"
    return holds(state == "OFF" and not left, evidence)


@control(
    "cis-3.8",
    "The server cannot write its own plugins",
    "chown root:root and chmod 755; reinstall mysql-server if it was otherwise.",
)
def plugins_are_kept(database: Database) -> Verdict:
    """CIS's mode is for a directory that is mysql's own."""
    entry = Entry.of(Path(database.variables["plugin_dir"]))
    if entry.within(0o554, OWN):
        return passed(str(entry))
    if not entry.within(0o755, "root:root"):
        return failed(str(entry))
    return accepted(
        "it is root's, as the package has it, so mysqld can write it even less than in CIS's way.",
        str(entry),
    )


@control(
    "mysql-conf-07",
    "Configuration: root writes it, mysql reads it",
    "chown root:root and chmod 644; `sudo vm-setup/host/mysql.sh` writes them.",
    "mysql-conf-08",
)
def configuration_is_kept(_: Database) -> Verdict:
    """That it holds no secret is cis-7.2."""
    entries = [Entry.of(path) for path in configuration()]
    wrong = [str(one) for one in entries if not one.within(0o644, "root:root", "root:mysql")]
    if wrong:
        return failed("; ".join(wrong))
    evidence = f"{len(entries)} files, all root's"
    if all(one.within(0o640, "root:mysql") for one in entries):
        return passed(evidence)
    return accepted("others may read it, as it holds nothing secret (cis-7.2).", evidence)


def mount_of(path: Path) -> str:
    """Where the disk that holds *path* is mounted."""
    found = path.resolve()
    while not os.path.ismount(found):
        found = found.parent
    return str(found)


def _own_disk(path: Path) -> Verdict:
    mount = mount_of(path)
    evidence = f"{path} is on the disk at {mount}"
    if mount not in SYSTEM:
        return passed(evidence)
    if disk := data_disk():
        return failed(f"{evidence}, and not on {disk}")
    return accepted(
        "this machine was given no HOST_DATA_DISK. An alert tells when the disk fills.", evidence
    )


def data_disk() -> str:
    """The machine's HOST_DATA_DISK; empty for none."""
    with suppress(OSError):
        found = re.search(r"HOST_DATA_DISK:?=[\"']?([^\"'}\s]+)", SETTINGS.read_text())
        return found[1] if found else ""
    return ""


@control("cis-1.1", "Data are on a disk of their own", "docs/vm-setup.md: the data disk.")
def data_have_a_disk(database: Database) -> Verdict:
    """A full system disk stops everything."""
    return _own_disk(Path(database.variables["datadir"]))


@control("cis-6.2", "Logs are on a disk of their own", "docs/vm-setup.md: the data disk.")
def logs_have_a_disk(database: Database) -> Verdict:
    """The binary logs, which grow most."""
    return _own_disk(Path(database.variables["log_bin_basename"]).parent)


def configuration() -> Iterator[Path]:
    """The files that every client and server reads."""
    for path in CONFIGURATION:
        yield from sorted(path.rglob("*.cnf")) if path.is_dir() else [path] * path.exists()
