"""Passwords: how they are chosen, stored, guessed and replaced."""

from __future__ import annotations

from controls import WRITTEN, Verdict, accepted, control, failed, holds, none_of, passed
from facts import Account, Database

YEAR = 365  # days
SERVICES = ("app", "migrator", "exporter")  # a password each, which `rotate` changes
# Milliseconds: CIS's delays after wrong passwords, and what is enough here.
CIS_DELAYS = (60_000, 1_920_000)
DELAYS = (1_000, 60_000)


@control(
    "cis-2.8",
    "Old passwords are not used again",
    WRITTEN.format(name="password_history", wanted="5")
    + f" The same for password_reuse_interval = {YEAR}.",
)
def old_passwords_are_refused(database: Database) -> Verdict:
    """Neither the last five, nor any of a year."""
    history = int(database.variables["password_history"])
    days = int(database.variables["password_reuse_interval"])
    return holds(
        history >= 5 and days >= YEAR,
        f"password_history = {history}, password_reuse_interval = {days}",
    )


@control(
    "cis-2.18",
    "Wrong passwords are answered ever more slowly",
    "`sudo vm-setup/host/mysql.sh` loads connection_control and writes its settings: "
    f"at most 5 failures are free, then {DELAYS[0]} to {DELAYS[1]} ms.",
)
def guessing_is_slow(database: Database) -> Verdict:
    """The plugin, or in later versions the component."""
    found = {
        name.rpartition("connection_control")[2].lstrip("._"): int(value)
        for name, value in database.variables.items()
        if "connection_control" in name and value.isdigit()
    }
    if not found:
        return failed("connection_control is not loaded")
    free = found["failed_connections_threshold"]
    delays = found["min_connection_delay"], found["max_connection_delay"]
    attempts = [one.attempts for one in database.accounts if not one.by_socket]
    evidence = f"{free} failures are free, then {delays[0]} to {delays[1]} ms"
    if not 0 < free <= 5 or delays[0] < DELAYS[0] or delays[1] < DELAYS[1]:
        return failed(evidence)
    if free == 5 and delays >= CIS_DELAYS and min(attempts, default=12) >= 12:
        return passed(evidence)
    return accepted(
        "passwords are 256 random bits, which nobody guesses at one a second. By CIS's minute of "
        "delay and lock after 12 failures anyone who reaches the port could stop the application.",
        evidence + ("" if any(attempts) else ", no account is locked by failures"),
    )


@control(
    "cis-7.4",
    "Passwords end after a year at most, unless an account says otherwise",
    WRITTEN.format(name="default_password_lifetime", wanted=str(YEAR)),
)
def passwords_end(database: Database) -> Verdict:
    """Which accounts say otherwise is cis-2.7."""
    days = int(database.variables["default_password_lifetime"])
    return holds(0 < days <= YEAR, f"default_password_lifetime = {days}")


@control(
    "cis-7.5",
    "Weak passwords are refused",
    "`sudo vm-setup/host/accounts.sh` installs the component validate_password; "
    + WRITTEN.format(name="validate_password.length", wanted="14"),
)
def passwords_are_complex(database: Database) -> Verdict:
    """CIS asks for a dictionary too."""
    if not any(urn.endswith("component_validate_password") for urn in database.components):
        return failed("the component validate_password is not installed")
    length, policy, user_name, dictionary = (
        database.variables[f"validate_password.{name}"]
        for name in ("length", "policy", "check_user_name", "dictionary_file")
    )
    evidence = f"length {length}, policy {policy}, check_user_name {user_name}, "
    evidence += f"dictionary {dictionary or 'none'}"
    if int(length) < 14 or policy not in ("MEDIUM", "STRONG") or user_name != "ON":
        return failed(evidence)
    if policy == "STRONG" and dictionary:
        return passed(evidence)
    return accepted(
        "no password here is a person's choice: all are 256 random bits, and a dictionary could "
        "refuse none of them.",
        evidence,
    )


@control(
    "cis-2.7",
    "No password is older than a year",
    "`sudo vm-setup/host/rotate ACCOUNT`, while everybody works.",
)
def passwords_are_young(database: Database) -> Verdict:
    """Those of the services do not end by themselves, so their age is looked at."""
    by_default = int(database.variables["default_password_lifetime"])
    with_password = [one for one in database.accounts if not one.by_socket]
    evidence = ", ".join(f"{one} {one.age} days" for one in with_password) or "no passwords"
    endless = [one for one in with_password if not 0 < _lifetime(one, by_default) <= YEAR]
    if any(one.age is None or one.age > YEAR for one in with_password):
        return failed(evidence)
    if any(one.user not in SERVICES for one in endless):
        return failed("for ever: " + ", ".join(map(str, endless)))
    if not endless:
        return passed(evidence)
    return accepted(
        "a password that ends by the calendar is an outage by the calendar. `rotate` changes them "
        "without one, and this control fails when one is older than a year.",
        evidence,
    )


def _lifetime(account: Account, by_default: int) -> int:
    return by_default if account.lifetime is None else account.lifetime


@control(
    "cis-2.10",
    "No second password is left over from a rotation",
    "`sudo vm-setup/host/rotate ACCOUNT` finishes what was cut short.",
)
def rotations_are_finished(database: Database) -> Verdict:
    """Two are valid during one, for some seconds."""
    return none_of(f"{one} has two" for one in database.accounts if one.second)


@control(
    "cis-7.3",
    "Every account has a password, or comes over the socket",
    "`sudo vm-setup/host/accounts.sh`, or DROP USER it.",
    "mysql-db-05",
    "mysql-db-05b",
)
def nobody_comes_without(database: Database) -> Verdict:
    """Whatever the plugin."""
    without = [one for one in database.accounts if not one.by_socket and not one.storage]
    return none_of((f"{one} has none" for one in without), "each has one")


@control(
    "cis-7.8",
    "Passwords are stored as PBKDF2 with SHA-512",
    "caching_sha2_password_storage_format = PBKDF2_SHA512 (`sudo vm-setup/host/mysql.sh`), then "
    "`sudo vm-setup/host/rotate ACCOUNT`, as a password is stored anew only when it changes.",
)
def passwords_are_stored_well(database: Database) -> Verdict:
    """Which 8.4 does not know yet."""
    wanted = database.variables.get("caching_sha2_password_storage_format")
    if wanted is None:
        return accepted(
            f"MySQL {database.series} knows only SHA-256 with 5,000 rounds; 9.7 knows more.",
            "no caching_sha2_password_storage_format",
        )
    with_password = [one for one in database.accounts if not one.by_socket]
    older = [str(one) for one in with_password if one.storage != "$B$"]
    evidence = f"new ones {wanted}; stored otherwise: {', '.join(older) or 'none'}"
    if wanted != "PBKDF2_SHA512" or older:
        return failed(evidence)
    enforced = database.variables["caching_sha2_password_enforce_storage_format"]
    if enforced == "ON":
        return passed(evidence)
    return accepted(
        "what would be enforced is so already; and a service that is told to change its password "
        "can only stop.",
        evidence + "; not enforced",
    )
