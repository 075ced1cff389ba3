"""What the controls look at: the database's state, asked for once, and the machine's commands."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

CLIENT = ("mysql", "--user=root", "--protocol=socket")
RESERVED = "mysql."  # how the names of the server's own accounts begin
# RFC 1918 and loopback; Python's is_private takes more for private.
PRIVATE = [
    ipaddress.IPv4Network(each)
    for each in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
]

# One statement, so one moment. Of a password it takes the first characters, which say how it is
# stored; the rest never leaves the server.
STATE = r"""
SELECT JSON_OBJECT(
  'variables', (SELECT JSON_OBJECTAGG(variable_name, variable_value)
                FROM performance_schema.global_variables),
  'persisted', (SELECT JSON_ARRAYAGG(variable_name) FROM performance_schema.persisted_variables),
  'plugins', (SELECT JSON_OBJECTAGG(plugin_name, plugin_status) FROM information_schema.plugins),
  'components', (SELECT JSON_ARRAYAGG(component_urn) FROM mysql.component),
  'schemas', (SELECT JSON_ARRAYAGG(schema_name) FROM information_schema.schemata),
  'accounts', (SELECT JSON_ARRAYAGG(JSON_OBJECT(
      'user', user, 'host', host, 'plugin', plugin,
      'storage', LEFT(authentication_string, 3),
      'locked', account_locked = 'Y',
      'lifetime', password_lifetime,
      'age', DATEDIFF(NOW(), password_last_changed),
      'second', COALESCE(JSON_CONTAINS_PATH(user_attributes, 'one', '$.additional_password'), 0),
      'attempts', COALESCE(user_attributes->'$.Password_locking.failed_login_attempts', 0),
      'tls', CONVERT(ssl_type USING utf8mb4),
      'limit', max_user_connections)) FROM mysql.user),
  'grants', (SELECT JSON_ARRAYAGG(JSON_OBJECT(
      'grantee', REPLACE(grantee, "'", ''), 'place', place, 'privilege', privilege,
      'passed_on', passed_on = 'YES')) FROM (
    SELECT grantee, '*.*' AS place, privilege_type AS privilege, is_grantable AS passed_on
      FROM information_schema.user_privileges
    UNION ALL SELECT grantee, CONCAT(table_schema, '.*'), privilege_type, is_grantable
      FROM information_schema.schema_privileges
    UNION ALL SELECT grantee, CONCAT(table_schema, '.', table_name), privilege_type, is_grantable
      FROM information_schema.table_privileges
    UNION ALL SELECT grantee, CONCAT(table_schema, '.', table_name, '.', column_name),
        privilege_type, is_grantable FROM information_schema.column_privileges
    UNION ALL SELECT CONCAT(user, '@', host), CONCAT(db, '.', routine_name), 'EXECUTE', 'NO'
      FROM mysql.procs_priv
    UNION ALL SELECT CONCAT(to_user, '@', to_host), CONCAT(from_user, '@', from_host), 'ROLE',
        IF(with_admin_option = 'Y', 'YES', 'NO') FROM mysql.role_edges
    ) AS everything),
  'definers', (SELECT JSON_ARRAYAGG(CONCAT(name, ' by ', definer)) FROM (
    SELECT CONCAT(routine_schema, '.', routine_name) AS name, definer, routine_schema AS place
      FROM information_schema.routines WHERE security_type = 'DEFINER'
    UNION ALL SELECT CONCAT(table_schema, '.', table_name), definer, table_schema
      FROM information_schema.views WHERE security_type = 'DEFINER'
    UNION ALL SELECT CONCAT(trigger_schema, '.', trigger_name), definer, trigger_schema
      FROM information_schema.triggers
    UNION ALL SELECT CONCAT(event_schema, '.', event_name), definer, event_schema
      FROM information_schema.events
    ) AS programs WHERE place NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')),
  'plain_tablespaces', (SELECT COUNT(*) FROM information_schema.innodb_tablespaces
                        WHERE encryption <> 'Y' AND name <> 'innodb_temporary'),
  'sources', (SELECT JSON_ARRAYAGG(JSON_OBJECT(
      'host', host, 'user', user, 'verified', ssl_verify_server_certificate))
    FROM performance_schema.replication_connection_configuration))
"""


@dataclass(frozen=True)
class Account:
    """A row of mysql.user.

    Attributes:
        storage: the first characters of the stored password, which are its format; empty for none.
        lifetime: of the password in days, 0 for ever, None for the server's default.
        age: of the password, in days.
        second: whether a second password is valid too, as during a rotation.
        attempts: wrong passwords after which it is locked, 0 for never.
        tls: what it must bring: '' nothing, ANY TLS, X509 or SPECIFIED a certificate.
        limit: of its connections at a time, 0 for the server's default.
    """

    user: str
    host: str
    plugin: str = "caching_sha2_password"
    storage: str = ""
    locked: bool = False
    lifetime: int | None = None
    age: int | None = 0
    second: bool = False
    attempts: int = 0
    tls: str = ""
    limit: int = 0

    def __str__(self) -> str:
        return f"{self.user}@{self.host}"

    @property
    def is_reserved(self) -> bool:
        """Whether it is the server's own."""
        return self.user.startswith(RESERVED)

    @property
    def is_local(self) -> bool:
        """Whether it comes from this machine only."""
        return self.host in ("localhost", "127.0.0.1", "::1")

    @property
    def by_socket(self) -> bool:
        """Whether the operating system says who it is."""
        return self.plugin == "auth_socket"


@dataclass(frozen=True)
class Grant:
    """One privilege of an account at one place, ``*.*`` being everywhere."""

    grantee: str
    place: str
    privilege: str
    passed_on: bool = False

    def __str__(self) -> str:
        return f"{self.privilege} ON {self.place} TO {self.grantee}"


@dataclass(frozen=True)
class Database:
    """The server's state at one moment, without the accounts that are its own and locked."""

    variables: dict[str, str]
    persisted: list[str] = field(default_factory=list)
    plugins: dict[str, str] = field(default_factory=dict)
    components: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    reserved: list[Account] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    definers: list[str] = field(default_factory=list)
    plain_tablespaces: int = 0
    sources: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def asked(cls, client: Sequence[str] = CLIENT) -> Database:
        """What the server says now.

        Raises:
            subprocess.CalledProcessError, OSError: it says nothing.
        """
        return cls.read(run(*client, "--batch", "--raw", "--skip-column-names", text=STATE))

    @classmethod
    def read(cls, text: str) -> Database:
        """Make it of the server's answer."""
        state: dict[str, Any] = {key: value for key, value in json.loads(text).items() if value}
        everybody = [
            Account(**{**row, "locked": bool(row["locked"]), "second": bool(row["second"])})
            for row in state.pop("accounts")
        ]
        grants = [
            Grant(**{**row, "passed_on": bool(row["passed_on"])})
            for row in state.pop("grants")
            if not row["grantee"].startswith(RESERVED)
            and (row["privilege"] != "USAGE" or row["passed_on"])  # which means nothing else
        ]
        return cls(
            accounts=[one for one in everybody if not one.is_reserved],
            reserved=[one for one in everybody if one.is_reserved],
            grants=grants,
            **state,
        )

    @property
    def series(self) -> str:
        """The first two numbers of its version."""
        return ".".join(self.variables["version"].split(".")[:2])


def is_private(text: str, prefix: int = 32) -> bool:
    """Whether *text* is a private IPv4 address, or a network of at least *prefix* bits of them."""
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:  # a name, a pattern, or every address
        return False
    return network.prefixlen >= prefix and any(network.subnet_of(each) for each in PRIVATE)


def run(*command: str, text: str | None = None) -> str:
    """What *command* prints, given *text* on its standard input.

    Raises:
        subprocess.CalledProcessError, OSError: it failed, or is not there.
    """
    done = subprocess.run(
        command, input=text, capture_output=True, encoding="utf-8", errors="replace", check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    return done.stdout
