"""The accounts: which there are, where they come from, and how they log in."""

from __future__ import annotations

from controls import Verdict, accepted, control, failed, holds, none_of, passed
from facts import Account, Database, is_private
from grants import GRANTS

BY_SOCKET = ("root", "backup")
PLUGINS = ("auth_socket", "caching_sha2_password")


@control(
    "cis-2.5",
    "Each purpose has its account, and there is no other",
    "DROP USER it; a person uses `sudo mysql`.",
)
def accounts_are_known(database: Database) -> Verdict:
    """An account that nobody wrote down is somebody's way back in."""
    wanted = sorted({"root", *GRANTS})
    found = sorted(one.user for one in database.accounts)
    return holds(found == wanted, ", ".join(sorted(map(str, database.accounts))))


@control(
    "cis-2.11",
    "The server's own accounts are locked",
    "ALTER USER ... ACCOUNT LOCK, for each.",
)
def reserved_accounts_are_locked(database: Database) -> Verdict:
    """Nobody logs in as them."""
    return none_of(
        (f"{one} is not" for one in database.reserved if not one.locked),
        ", ".join(map(str, database.reserved)),
    )


@control(
    "cis-2.13",
    "Only root and backup come in without a password: over the socket, as the system's root",
    "`sudo vm-setup/host/accounts.sh` for root; another: ALTER USER, or DROP USER it.",
    "mysql-db-08",
)
def sockets_are_for_root(database: Database) -> Verdict:
    """And root in no other way."""
    evidence = ", ".join(str(one) for one in database.accounts if one.by_socket) or "nobody"
    wrong = [
        one
        for one in database.accounts
        if one.by_socket != (one.user in BY_SOCKET)
        or (one.user in BY_SOCKET and one.host != "localhost")
    ]
    return none_of((f"{one} by {one.plugin}" for one in wrong), evidence)


@control(
    "cis-2.16",
    "Who comes over the network brings a certificate",
    "ALTER USER ... REQUIRE SSL, for each.",
    "cis-8.2",
)
def clients_bring_certificates(database: Database) -> Verdict:
    """At least TLS."""
    remote = [one for one in database.accounts if not one.is_local]
    evidence = ", ".join(f"{one} {one.tls or 'nothing'}" for one in remote) or "nobody does"
    if all(one.tls in ("X509", "SPECIFIED") for one in remote):
        return passed(evidence)
    if not all(one.tls for one in remote):
        return failed(evidence)
    return accepted(
        "they come from containers on this machine, over TLS, and verify the server's certificate. "
        "A client's certificate would lie in the same volume as its password, for the same thief.",
        evidence,
    )


@control(
    "cis-7.1",
    "Accounts log in by caching_sha2_password or by the socket",
    "ALTER USER ... IDENTIFIED WITH caching_sha2_password BY RANDOM PASSWORD.",
)
def plugins_are_approved(database: Database) -> Verdict:
    """The policy's first factor is what a new account gets when it names none."""
    policy = database.variables["authentication_policy"]
    first = policy.partition(",")[0].strip()
    wrong = [f"{one} by {one.plugin}" for one in database.accounts if one.plugin not in PLUGINS]
    if first not in ("*", "caching_sha2_password", "*:caching_sha2_password"):
        wrong.append(f"new ones by {first}")
    return none_of(wrong, f"authentication_policy = {policy}; accounts by {', '.join(PLUGINS)}")


@control(
    "cis-7.6",
    "No account's host has a wildcard",
    "DROP USER it; `sudo vm-setup/host/accounts.sh` makes those that are wanted.",
    "mysql-db-07",
)
def hosts_have_no_wildcard(database: Database) -> Verdict:
    """Of either kind."""
    return none_of(str(one) for one in database.accounts if {"%", "_"} & set(one.host))


@control(
    "own-hosts",
    "Accounts come from this machine and its containers only",
    "DROP USER it; `sudo vm-setup/host/accounts.sh` makes those that are wanted.",
)
def hosts_are_inside(database: Database) -> Verdict:
    """From a private network no wider than Docker's."""
    hosts = ", ".join(sorted({one.host for one in database.accounts}))
    return none_of((str(one) for one in database.accounts if not is_inside(one)), f"from {hosts}")


def is_inside(account: Account) -> bool:
    """Whether it comes from here, or from a private network of at most 65,536 addresses."""
    return account.is_local or is_private(account.host, prefix=16)


@control("cis-7.7", "No account without a name", "DROP USER ''@HOST.", "mysql-db-04")
def nobody_is_anonymous(database: Database) -> Verdict:
    """Any name would do."""
    return none_of(f"''@{one.host}" for one in database.accounts if not one.user)


@control(
    "cis-7.9",
    "No role becomes active by itself",
    "SET GLOBAL activate_all_roles_on_login = OFF and mandatory_roles = ''; RESET PERSIST both.",
)
def roles_are_asked_for(database: Database) -> Verdict:
    """There are none."""
    active = database.variables["activate_all_roles_on_login"]
    mandatory = database.variables["mandatory_roles"]
    return holds(
        active == "OFF" and not mandatory,
        f"activate_all_roles_on_login = {active}, mandatory_roles = {mandatory or 'none'}",
    )


@control(
    "cis-8.3",
    "No account can take all connections",
    "ALTER USER ... WITH MAX_USER_CONNECTIONS; accounts.sh says how many.",
)
def connections_are_limited(database: Database) -> Verdict:
    """But root, whose entrance is another."""
    most = int(database.variables["max_connections"])
    for_each = int(database.variables["max_user_connections"])
    limits = {str(one): one.limit or for_each for one in database.accounts if one.user != "root"}
    evidence = f"max_connections {most}: " + ", ".join(f"{k} {v}" for k, v in limits.items())
    return holds(all(0 < limit < most for limit in limits.values()), evidence)
