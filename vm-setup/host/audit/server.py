"""The server: its variables, plugins, TLS and logs."""

from __future__ import annotations

from functools import partial

from controls import WRITTEN, Verdict, accepted, control, failed, holds, passed
from facts import Database, is_private

SUPPORTED = ("8.4", "9.7")  # the LTS series that are maintained
EXAMPLES = {"test", "employees", "world", "world_x", "sakila", "airportdb", "menagerie"}
SUITE = "TLS_AES_256_GCM_SHA384"

# id, title, variable, what it has to be, the same rule elsewhere
VALUES = (
    ("cis-2.9", "Who changes a password must know the present one", "password_require_current",
     "ON", ()),
    ("cis-2.12", "AES_ENCRYPT uses 256 bits, in CBC mode", "block_encryption_mode",
     "aes-256-cbc", ()),
    ("cis-2.15", "TLS 1.3 and no earlier version", "tls_version", "TLSv1.3", ()),
    ("cis-4.4", "Clients' files cannot be loaded", "local_infile", "OFF", ("mysql-conf-03",)),
    ("cis-4.6", "Symbolic links are not followed", "have_symlink", "DISABLED", ("mysql-conf-03",)),
    ("cis-4.7", "SQL neither reads nor writes files", "secure_file_priv", "NULL",
     ("mysql-conf-03",)),
    ("cis-6.3", "The error log has errors and warnings", "log_error_verbosity", "2", ()),
    ("cis-6.4", "Passwords are left out of logs", "log_raw", "OFF", ()),
    ("cis-8.1", "No connection without TLS, but over the socket", "require_secure_transport",
     "ON", ()),
    ("own-admin-tls", "TLS 1.3 at the administrators' entrance too", "admin_tls_version",
     "TLSv1.3", ()),
    ("own-durable-commits", "A commit is on the disk before it is answered",
     "innodb_flush_log_at_trx_commit", "1", ()),
    ("own-durable-binlog", "A commit is in the binary log before it is answered", "sync_binlog",
     "1", ()),
    ("own-no-names", "Accounts are of addresses: no name server says who somebody is",
     "skip_name_resolve", "ON", ()),
    ("own-slow-log", "Slow statements are written down", "slow_query_log", "ON", ()),
)  # fmt: skip


def has(name: str, wanted: str, database: Database) -> Verdict:
    """Whether the variable *name* is *wanted*."""
    value = database.variables[name]
    return holds(value.upper() == wanted.upper(), f"{name} = {value or 'empty'}")


for _id, _title, _name, _wanted, _also in VALUES:
    _remedy = WRITTEN.format(name=_name, wanted=_wanted)
    control(_id, _title, _remedy, *_also)(partial(has, _name, _wanted))


@control(
    "cis-2.1.5",
    "Binary logs are written and kept, for recovery to a second",
    WRITTEN.format(name="binlog_expire_logs_seconds", wanted="604800"),
)
def binlogs_are_kept(database: Database) -> Verdict:
    """Their way into the archive is own-binlogs."""
    log, seconds = database.variables["log_bin"], database.variables["binlog_expire_logs_seconds"]
    kept = log == "ON" and int(seconds) > 0
    return holds(kept, f"log_bin = {log}, binlog_expire_logs_seconds = {seconds}")


@control("cis-2.2.1", "Binary and relay logs are encrypted", "")
def binlogs_are_encrypted(database: Database) -> Verdict:
    """It needs a keyring."""
    evidence = f"binlog_encryption = {database.variables['binlog_encryption']}"
    if evidence.endswith("ON"):
        return passed(evidence)
    return accepted(
        "it needs a keyring, and the Community edition's is a file beside the data: whoever has "
        "the disk has both. The cloud encrypts the disk, and restic what is archived.",
        evidence,
    )


@control("cis-4.9", "Tables are encrypted at rest by the server", "")
def tables_are_encrypted(database: Database) -> Verdict:
    """It needs a keyring as well."""
    evidence = f"{database.plain_tablespaces} tablespaces are not encrypted by the server"
    if not database.plain_tablespaces:
        return passed(evidence)
    return accepted(
        "the keyring would be a file beside the data, see cis-2.2.1. The disks are encrypted by "
        "Azure and GCP always; on a machine of your own, encrypt the disk (LUKS).",
        evidence,
    )


@control(
    "cis-2.14",
    "MySQL listens on loopback and on the containers' bridge only",
    WRITTEN.format(name="bind_address", wanted="127.0.0.1 and HOST_BRIDGE"),
)
def listens_inside_only(database: Database) -> Verdict:
    """Every address is named, and a private one; whose interface it is: own-ports."""
    value = database.variables["bind_address"]
    private = all(is_private(one.strip()) for one in value.split(","))
    return holds(private, f"bind_address = {value}")


@control(
    "own-admin-address",
    "The administrators' entrance is on loopback",
    WRITTEN.format(name="admin_address", wanted="127.0.0.1"),
)
def administrators_come_from_here(database: Database) -> Verdict:
    """None is as good."""
    value = database.variables["admin_address"]
    return holds(value in ("", "127.0.0.1", "::1"), f"admin_address = {value or 'none'}")


@control(
    "cis-2.17",
    "Only approved ciphers",
    WRITTEN.format(name="tls_ciphersuites", wanted=SUITE),
)
def ciphers_are_approved(database: Database) -> Verdict:
    """CIS approves one suite of TLS 1.3."""
    suites, versions = (database.variables[name] for name in ("tls_ciphersuites", "tls_version"))
    evidence = f"tls_version = {versions}, tls_ciphersuites = {suites or 'not set'}"
    if suites == SUITE:
        return passed(evidence)
    if suites or versions != "TLSv1.3":
        return failed(evidence)
    return accepted(
        "TLS 1.3 has no weak suite to leave out: each is authenticated encryption with a key that "
        "is thrown away after the connection.",
        evidence,
    )


@control("cis-4.2", "No example or test schema", "DROP DATABASE it.", "mysql-db-03")
def no_examples(database: Database) -> Verdict:
    """By their usual names."""
    found = EXAMPLES & set(database.schemas)
    return holds(not found, "schemas: " + ", ".join(sorted(found or database.schemas)))


@control(
    "cis-4.8",
    "A value that does not fit is refused, in every table",
    WRITTEN.format(name="sql_mode", wanted="...,STRICT_ALL_TABLES,..."),
)
def modes_are_strict(database: Database) -> Verdict:
    """Of all engines."""
    mode = database.variables["sql_mode"]
    return holds(
        "STRICT_ALL_TABLES" in mode.split(","), f"sql_mode = {mode.replace(',', ', ') or 'empty'}"
    )


@control(
    "cis-6.1",
    "The error log is a file",
    "Remove log_error = stderr from the files in /etc/mysql, and restart mysql.",
)
def errors_go_to_a_file(database: Database) -> Verdict:
    """Who may read it is cis-3.3."""
    value = database.variables["log_error"]
    return holds(value not in ("", "stderr", "./stderr.err"), f"log_error = {value or 'empty'}")


@control(
    "own-mysqlx",
    "The X protocol, which nothing here speaks, is off",
    WRITTEN.format(name="mysqlx", wanted="OFF"),
)
def x_protocol_is_off(database: Database) -> Verdict:
    """It would listen on a port of its own."""
    state = database.plugins.get("mysqlx", "not there")
    return holds(state != "ACTIVE", f"plugin mysqlx: {state}")


@control(
    "own-persisted",
    "All settings are in files that vm-setup writes, none in the server",
    "Put it into vm-setup/host/mysql/vm.cnf if it is wanted, then RESET PERSIST it.",
)
def nothing_is_persisted(database: Database) -> Verdict:
    """SET PERSIST wins over the files, and nobody sees it there."""
    names = ", ".join(database.persisted)
    return holds(not names, f"SET PERSIST: {names or 'none'}")


@control(
    "mysql-db-01",
    "A version that is maintained",
    f"Upgrade to {SUPPORTED[-1]}: docs/vm-setup.md.",
    "mysql-db-02",
)
def version_is_supported(database: Database) -> Verdict:
    """One of the LTS series."""
    return holds(database.series in SUPPORTED, f"version {database.variables['version']}")


@control(
    "mysql-conf-03 (skip-show-database)",
    "Nobody lists schemas that are not theirs",
    "REVOKE SHOW DATABASES, as root.",
)
def schemas_are_not_listed(database: Database) -> Verdict:
    """Without the privilege an account sees its own only, so the option adds nothing."""
    value = database.variables["skip_show_database"]
    holders = {grant.grantee for grant in database.grants if grant.privilege == "SHOW DATABASES"}
    others = ", ".join(sorted(holders - {"root@localhost"}))
    evidence = f"skip_show_database = {value}, with SHOW DATABASES: {others or 'root only'}"
    if value == "ON":
        return passed(evidence)
    if others:
        return failed(evidence)
    return accepted(
        "without SHOW DATABASES, which only root has, an account sees the schemas it has rights in "
        "and no others.",
        evidence,
    )


@control(
    "cis-9.2",
    "A source's certificate is verified",
    "CHANGE REPLICATION SOURCE TO SOURCE_SSL = 1, SOURCE_SSL_VERIFY_SERVER_CERT = 1.",
    "cis-9.1",
)
def sources_are_verified(database: Database) -> Verdict:
    """Only when there is one."""
    if not database.sources:
        return accepted("this server replicates from nobody.", "no replication source")
    bad = [one["host"] for one in database.sources if one["verified"] != "YES"]
    return holds(not bad, f"not verified: {', '.join(bad) or 'none'}")
