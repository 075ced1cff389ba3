"""How mysqld was started, and whether a password lies about."""

from __future__ import annotations

import pwd
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from controls import Verdict, control, holds, none_of
from facts import Database, run
from files import configuration

PROFILES = (".bashrc", ".profile", ".bash_profile", ".zshrc")
HISTORIES = (".bash_history", ".zsh_history")
SHELLS_OF_NOBODY = ("/bin/false", "/usr/bin/false", "/sbin/nologin", "/usr/sbin/nologin")
RECOVERY = "/var/lib/mysql-recovery"  # where the restore drill's server lives

PASSWORD_SET = re.compile(r"^\s*password[123]?\s*=\s*\S", re.MULTILINE)
PASSWORD_TYPED = re.compile(r"\bmysql\S*\s(?:.*\s)?(?:-p|--password=)\S")


@control(
    "cis-1.2",
    "One mysqld runs, as mysql",
    "`sudo systemctl restart mysql`; stop any other.",
    "mysql-conf-02",
)
def runs_as_itself(_: Database) -> Verdict:
    """But for the restore drill's own, while it lasts."""
    lines = run("ps", "-C", "mysqld", "-o", "pid=,user=,args=").splitlines()
    users = [line.split()[1] for line in lines if RECOVERY not in line]
    return holds(users == ["mysql"], "mysqld as " + (", ".join(users) or "nobody"))


@control("cis-1.5", "Nobody logs in as mysql", "usermod --shell /usr/sbin/nologin mysql")
def mysql_has_no_shell(_: Database) -> Verdict:
    """It has no shell."""
    shell = pwd.getpwnam("mysql").pw_shell
    return holds(shell in SHELLS_OF_NOBODY, f"its shell is {shell}")


@control(
    "cis-4.3",
    "Only what is made for it is loaded as a function",
    "Remove the option.",
    "mysql-conf-03",
)
def functions_are_checked(_: Database) -> Verdict:
    """allow-suspicious-udfs shows in no variable."""
    return _is_off("allow-suspicious-udfs")


@control(
    "cis-4.5",
    "The server goes by its grants",
    "Remove the option, and restart mysql.",
    "mysql-conf-03",
)
def grants_are_looked_at(_: Database) -> Verdict:
    """skip-grant-tables shows in no variable."""
    return _is_off("skip-grant-tables")


def _is_off(option: str) -> Verdict:
    found = is_on(option, options())
    return holds(not found, f"{option} is {'on' if found else 'off'}")


def options() -> list[str]:
    """The server's options: of its files, and of its command line."""
    given = run("my_print_defaults", "mysqld").splitlines()
    return given + [word for line in command_lines("mysqld") for word in line[1:]]


def is_on(option: str, given: Iterable[str]) -> bool:
    """Whether the last of *given* that names *option* turns it on."""
    state = False
    for word in given:
        name, _, value = word.lower().partition("=")
        if name.lstrip("-").replace("_", "-").removeprefix("loose-") == option:
            state = value not in ("0", "off", "false")
    return state


@control(
    "cis-1.4",
    "No process has a password in MYSQL_PWD",
    "Use an option file that only its user can read, or the socket.",
    "mysql-conf-09",
)
def environments_hold_no_password(_: Database) -> Verdict:
    """Every process's environment, as root sees it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended meanwhile
            if b"\0MYSQL_PWD=" in b"\0" + path.read_bytes():
                found.append(f"process {path.parent.name}")
    return none_of(found)


@control("cis-1.6", "No profile sets MYSQL_PWD", "Remove it there, and change that password.")
def profiles_hold_no_password(_: Database) -> Verdict:
    """People's own, and the system's."""
    shared = [Path("/etc/environment"), Path("/etc/profile"), *Path("/etc/profile.d").glob("*")]
    paths = [*shared, *(home / name for home in homes() for name in PROFILES)]
    return none_of(str(path) for path in paths if "MYSQL_PWD" in text_of(path))


@control(
    "cis-1.3", "No client's history is kept", "Remove it, and: ln -s /dev/null ~/.mysql_history"
)
def histories_are_not_kept(_: Database) -> Verdict:
    """Statements that set a password would be in it."""
    found = [
        path
        for home in homes()
        for path in (home / ".mysql_history", *(home / ".mysqlsh").glob("history*"))
        if path.exists() and path.resolve() != Path("/dev/null")
    ]
    return none_of(map(str, found))


@control(
    "cis-2.4", "No password on a command line", "Change it, remove the line, and use `sudo mysql`."
)
def commands_hold_no_password(_: Database) -> Verdict:
    """Of what runs, and of what people ran."""
    running = [
        line[0] for line in command_lines("mysql.*") if PASSWORD_TYPED.search(" ".join(line))
    ]
    typed = [
        str(home / name)
        for home in homes()
        for name in HISTORIES
        if PASSWORD_TYPED.search(text_of(home / name))
    ]
    return none_of(running + typed)


@control(
    "cis-7.2", "No password in the configuration", "Remove it, change it, and use `sudo mysql`."
)
def configuration_holds_no_password(_: Database) -> Verdict:
    """In any section."""
    found = [str(path) for path in configuration() if PASSWORD_SET.search(text_of(path))]
    return none_of(found, f"{len(list(configuration()))} files, none has one")


def homes() -> list[Path]:
    """The homes of people, and root's."""
    return [Path("/root"), *sorted(Path("/home").glob("*"))]


def text_of(path: Path) -> str:
    """What *path* holds; nothing when it is not there."""
    return path.read_text(errors="replace") if path.is_file() else ""


def command_lines(program: str) -> Iterator[list[str]]:
    """The command lines of all processes whose program's name matches."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            words = path.read_bytes().decode(errors="replace").rstrip("\0").split("\0")
            if re.fullmatch(program, Path(words[0]).name):
                yield words
