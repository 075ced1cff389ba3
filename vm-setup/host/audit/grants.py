"""What each account may: exactly what compose/mysql/accounts.sh and accounts.sql grant."""

from __future__ import annotations

from functools import partial

from controls import Verdict, accepted, control, failed, none_of, passed
from facts import Database, Grant

ADMINISTRATOR = "root@localhost"
_DATA = {"SELECT", "INSERT", "UPDATE", "DELETE"}
_SCHEMA = _DATA | {"CREATE", "ALTER", "DROP", "INDEX", "REFERENCES"}
GRANTS: dict[str, dict[str, set[str]]] = {
    "app": {"clinic.*": _DATA},
    "migrator": {
        "*.*": {"PROCESS"},
        "clinic.*": _SCHEMA,
        r"clinic\_plan.*": _SCHEMA,
        "performance_schema.*": {"SELECT"},
    },
    "exporter": {
        "*.*": {"PROCESS", "REPLICATION CLIENT"},
        "performance_schema.*": {"SELECT"},
    },
    "backup": {
        "*.*": {"RELOAD", "PROCESS", "REPLICATION CLIENT", "SHOW_ROUTINE"},
        "clinic.*": {"SELECT", "SHOW VIEW", "TRIGGER", "EVENT"},
    },
}

REVOKE = "REVOKE it, as root."
EXACTLY = (
    "REVOKE what is too much; for what lacks remove /etc/poolsight/accounts.sha256 and run "
    "`sudo vm-setup/host/accounts.sh`."
)

# Privileges that only root has.
ADMINISTRATIVE = (
    ("cis-5.2", "FILE", "reads and writes the machine's files"),
    ("cis-5.4", "SUPER", "may nearly anything"),
    ("cis-5.5", "SHUTDOWN", "stops the server"),
    ("cis-5.6", "CREATE USER", "makes accounts"),
    ("cis-5.8", "REPLICATION SLAVE", "reads every change of every schema"),
    ("cis-5.11", "SET_ANY_DEFINER", "lets programs run as somebody else"),
    ("cis-5.12", "ALLOW_NONEXISTENT_DEFINER", "lets programs wait for somebody to be made"),
)


def is_roots(privilege: str, database: Database) -> Verdict:
    """Whether nobody but root has *privilege*."""
    holders = [grant.grantee for grant in others(database) if grant.privilege == privilege]
    return none_of(sorted(holders), "root only")


for _id, _privilege, _meaning in ADMINISTRATIVE:
    _title = f"Only root has {_privilege}, which {_meaning}"
    control(_id, _title, REVOKE)(partial(is_roots, _privilege))


def others(database: Database) -> list[Grant]:
    """The grants of everybody but root."""
    return [grant for grant in database.grants if grant.grantee != ADMINISTRATOR]


def differences(found: list[Grant], name: str, places: dict[str, set[str]]) -> list[str]:
    """What the account *name* has beyond *places*, and what it lacks."""
    seen = {(grant.place, grant.privilege) for grant in found}
    wanted = {(place, each) for place, privileges in places.items() for each in privileges}
    return [f"{name} also has {each} ON {place}" for place, each in sorted(seen - wanted)] + [
        f"{name} lacks {each} ON {place}" for place, each in sorted(wanted - seen)
    ]


def _unexpected(database: Database, *, everywhere: bool) -> list[str]:
    found = [grant for grant in others(database) if (grant.place == "*.*") == everywhere]
    meant = {str(one) for one in database.accounts if one.user in GRANTS}
    lines = []
    for name in sorted(meant | {grant.grantee for grant in found}):
        places = GRANTS.get(name.partition("@")[0], {})
        wanted = {one: each for one, each in places.items() if (one == "*.*") == everywhere}
        lines += differences([grant for grant in found if grant.grantee == name], name, wanted)
    return lines


@control("cis-5.1", "Only root reads or writes the server's own tables, or all schemas", REVOKE)
def system_tables_are_roots(database: Database) -> Verdict:
    """The accounts' password hashes are among them."""
    return none_of(
        (
            str(grant)
            for grant in others(database)
            if grant.place.startswith(("mysql.", "sys."))
            or (grant.place == "*.*" and grant.privilege in _SCHEMA)
        ),
        "root only",
    )


@control("cis-5.3", "Who sees other sessions' statements (PROCESS)", REVOKE)
def process_is_for_monitoring(database: Database) -> Verdict:
    """Three accounts cannot do their work without it."""
    holders = {grant.grantee for grant in others(database) if grant.privilege == "PROCESS"}
    allowed = {name for name, places in GRANTS.items() if "PROCESS" in places.get("*.*", ())}
    evidence = ", ".join(sorted(holders)) or "root only"
    if not holders:
        return passed(evidence)
    if {name.partition("@")[0] for name in holders} - allowed:
        return failed(evidence)
    return accepted(
        "the migrator has to see who blocks it, the exporter who waits, and mysqldump asks for it. "
        "A statement they see may hold a patient's data; none of them is the application's.",
        evidence,
    )


@control("cis-5.7", "Only root passes on what it may (GRANT OPTION)", REVOKE, "mysql-db-06")
def nobody_passes_on(database: Database) -> Verdict:
    """With it a thief makes accounts for later."""
    return none_of((str(grant) for grant in others(database) if grant.passed_on), "root only")


@control("cis-5.9", "In schemas each account may what it needs, no more and no less", EXACTLY)
def schema_grants_are_exact(database: Database) -> Verdict:
    """Compared one by one."""
    return none_of(_unexpected(database, everywhere=False), "as accounts.sh gives them")


@control("own-global-grants", "On the server each account may what it needs, no more", EXACTLY)
def global_grants_are_exact(database: Database) -> Verdict:
    """Compared one by one."""
    return none_of(_unexpected(database, everywhere=True), "as accounts.sh gives them")


@control(
    "cis-5.10",
    "No program or view runs with somebody else's rights",
    "Make it again with SQL SECURITY INVOKER, or drop it.",
)
def programs_run_as_their_caller(database: Database) -> Verdict:
    """The application has none at all."""
    return none_of(database.definers)


@control("mysql-conf-03 (safe-user-create)", "Accounts are made by root only", REVOKE)
def accounts_are_made_by_root(database: Database) -> Verdict:
    """The option asks for INSERT on mysql.user, which nobody else has."""
    makers = [
        str(grant)
        for grant in others(database)
        if grant.privilege == "CREATE USER" or grant.place.startswith("mysql.")
    ]
    if makers:
        return failed("; ".join(makers))
    return accepted(
        "the option would let only those make accounts who may write mysql.user, and so it is: "
        "CREATE USER and the schema mysql are root's.",
        "root only",
    )


@control("cis-9.3", "Replicas' accounts are no administrators", REVOKE)
def replicas_are_no_administrators(database: Database) -> Verdict:
    """Whoever may read the binary logs of all schemas."""
    grants = others(database)
    replicas = {grant.grantee for grant in grants if grant.privilege == "REPLICATION SLAVE"}
    if not replicas:
        return accepted("nobody replicates from this server.", "no account with REPLICATION SLAVE")
    supers = {grant.grantee for grant in grants if grant.privilege == "SUPER"}
    return none_of(sorted(replicas & supers), ", ".join(sorted(replicas)))
