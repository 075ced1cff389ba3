"""The audit's rules that ask SQL, on a real server that is set up by the VM's own files."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.mysql import IMAGE, START, docker, needs_mysql
from tests.vm_setup.audit import AUDIT, ROOT
from tests.waiting import eventually

pytestmark = [pytest.mark.mysql, needs_mysql]
controls = AUDIT["controls"]
MODULES = ("server", "passwords", "grants", "accounts")
SQL = [
    one for one in controls.CONTROLS if getattr(one.check, "func", one.check).__module__ in MODULES
]
FROM = "172.30.0.0/255.255.0.0"
APP, BACKUP = f"app@'{FROM}'", "backup@localhost"
ALSO = {"CREATE USER": ["mysql-conf-03 (safe-user-create)"]}
# What the VM has from the package (the error log), and from nobody yet.
BESIDE = """
log_error = /var/lib/mysql/error.log
"""


class Server:
    """A container without a network, in which root comes by the socket."""

    def __init__(self, name: str) -> None:
        self.client = ("docker", "exec", "-i", name, "mysql", "--user=root", "--protocol=socket")

    def run(self, sql: str) -> None:
        done = subprocess.run(self.client, input=sql, text=True, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr

    def state(self) -> Any:
        return AUDIT["facts"].Database.asked(self.client)

    def with_outcome(self, outcome: str) -> dict[str, str]:
        """The evidence of all controls with that outcome, by their names."""
        state = self.state()
        verdicts = {one.id: controls.evaluate(one, state) for one in SQL}
        return {name: one.evidence for name, one in verdicts.items() if one.outcome == outcome}

    @contextmanager
    def broken(self, breaking: str, mending: str) -> Iterator[None]:
        self.run(breaking)
        try:
            yield
        finally:
            self.run(mending)
        assert self.with_outcome("fail") == {}


def configuration() -> str:
    """The VM's, without its certificate, and with an address that a lonely container has."""
    base = (ROOT / "compose" / "mysql" / "my.cnf").read_text()
    more = (ROOT / "vm-setup" / "host" / "mysql" / "vm.cnf").read_text()
    text = base + more.replace("@BRIDGE@", "127.0.0.2").replace("@POOL@", "128") + BESIDE
    return re.sub(r"^ssl_.*\n", "", text, flags=re.MULTILINE)


def accounts(secrets: Path) -> str:
    """The SQL that makes them, of the VM's own files."""
    for account in ("app", "migrator", "exporter"):
        (secrets / f"{account}_password").write_text(f"Aa1-{account}-0123456789")
    printed = subprocess.run(
        ["sh", str(ROOT / "compose" / "mysql" / "accounts.sh"), str(secrets), FROM, "84"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    local = (ROOT / "vm-setup" / "host" / "mysql" / "accounts.sql").read_text()
    return (
        "INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';"
        "INSTALL COMPONENT 'file://component_validate_password';"
        "ALTER USER root@localhost IDENTIFIED WITH auth_socket;"
        + printed.stdout
        + local.replace("@FROM@", FROM)
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("audit")
    config = directory / "vm.cnf"
    config.write_text(configuration())
    config.chmod(0o644)
    name = f"poolsight-audit-{os.getpid()}"
    # Over TCP, which the temporary server of the first start does not serve.
    ping = ["docker", "exec", name, "mysqladmin", "--host=127.0.0.1", "ping"]
    try:
        subprocess.run(
            ["docker", "run", "--detach", "--name", name, "--network=none",
             f"--volume={config}:/etc/mysql/conf.d/vm.cnf:ro", "--env=MYSQL_ROOT_HOST=localhost",
             "--env=MYSQL_ALLOW_EMPTY_PASSWORD=yes", "--env=MYSQL_DATABASE=clinic",
             os.environ[IMAGE]],
            check=True, capture_output=True,
        )  # fmt: skip
        assert eventually(
            lambda: subprocess.run(ping, capture_output=True, check=False).returncode == 0,
            within=START,
        ), docker("logs", name)
        one = Server(name)
        one.run(accounts(directory))
        yield one
    finally:
        docker("rm", "--force", "--volumes", name)


def test_nothing_fails_on_a_server_set_up_like_the_vms(server: Server) -> None:
    assert server.with_outcome("fail") == {}
    assert set(server.with_outcome("accepted")) == {
        "cis-2.2.1", "cis-2.7", "cis-2.16", "cis-2.18", "cis-4.9", "cis-5.3",
        "cis-7.5", "cis-7.8", "cis-9.2", "cis-9.3", "mysql-conf-03 (safe-user-create)",
        "mysql-conf-03 (skip-show-database)",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bad", "failing"),
    [
        ("password_require_current", "OFF", "cis-2.9"),
        ("block_encryption_mode", "'aes-128-ecb'", "cis-2.12"),
        ("local_infile", "ON", "cis-4.4"),
        ("log_error_verbosity", "1", "cis-6.3"),
        ("log_raw", "ON", "cis-6.4"),
        ("require_secure_transport", "OFF", "cis-8.1"),
        ("sync_binlog", "0", "own-durable-binlog"),
        ("innodb_flush_log_at_trx_commit", "2", "own-durable-commits"),
        ("slow_query_log", "OFF", "own-slow-log"),
        ("binlog_expire_logs_seconds", "0", "cis-2.1.5"),
        ("password_history", "0", "cis-2.8"),
        ("password_reuse_interval", "30", "cis-2.8"),
        ("connection_control_failed_connections_threshold", "0", "cis-2.18"),
        ("sql_mode", "''", "cis-4.8"),
        ("default_password_lifetime", "0", "cis-7.4"),
        ("validate_password.length", "8", "cis-7.5"),
        ("activate_all_roles_on_login", "ON", "cis-7.9"),
        ("caching_sha2_password_storage_format", "'CRYPT5'", "cis-7.8"),
        ("tls_ciphersuites", "'TLS_AES_128_GCM_SHA256'", "cis-2.17"),
    ],
)
def test_a_variable_that_is_wrong(server: Server, name: str, bad: str, failing: str) -> None:
    value = server.state().variables[name]
    good = value if value.isdigit() else f"'{value}'"
    with server.broken(f"SET GLOBAL {name} = {bad}", f"SET GLOBAL {name} = {good}"):
        assert set(server.with_outcome("fail")) == {failing}


@pytest.mark.parametrize(
    ("breaking", "mending", "failing"),
    [
        ("UNINSTALL COMPONENT 'file://component_validate_password'",
         "INSTALL COMPONENT 'file://component_validate_password'; "
         "SET GLOBAL validate_password.length = 14, GLOBAL validate_password.policy = STRONG",
         {"cis-7.5"}),
        ("SET PERSIST long_query_time = 1", "RESET PERSIST long_query_time", {"own-persisted"}),
        ("CREATE DATABASE sakila", "DROP DATABASE sakila", {"cis-4.2"}),
        ("CREATE VIEW clinic.probe AS SELECT 1", "DROP VIEW clinic.probe", {"cis-5.10"}),
        (f"CREATE USER other@'{FROM}' IDENTIFIED BY 'Aa1-other-0123456789' REQUIRE SSL "
         "WITH MAX_USER_CONNECTIONS 1", f"DROP USER other@'{FROM}'", {"cis-2.5"}),
        (f"CREATE USER ''@'{FROM}' IDENTIFIED BY 'Aa1-nobody-0123456789' REQUIRE SSL "
         "WITH MAX_USER_CONNECTIONS 1", f"DROP USER ''@'{FROM}'", {"cis-2.5", "cis-7.7"}),
        (f"RENAME USER {APP} TO app@'%'", f"RENAME USER app@'%' TO {APP}",
         {"cis-7.6", "own-hosts"}),
        (f"RENAME USER {APP} TO app@'203.0.113.7'", f"RENAME USER app@'203.0.113.7' TO {APP}",
         {"own-hosts"}),
        (f"ALTER USER {APP} REQUIRE NONE", f"ALTER USER {APP} REQUIRE SSL", {"cis-2.16"}),
        (f"ALTER USER {APP} WITH MAX_USER_CONNECTIONS 0",
         f"ALTER USER {APP} WITH MAX_USER_CONNECTIONS 84", {"cis-8.3"}),
        (f"ALTER USER {APP} IDENTIFIED BY 'Aa1-second-0123456789' RETAIN CURRENT PASSWORD",
         f"ALTER USER {APP} DISCARD OLD PASSWORD", {"cis-2.10"}),
        ("UPDATE mysql.user SET password_last_changed = '2020-01-01' WHERE user = 'app'",
         "UPDATE mysql.user SET password_last_changed = NOW() WHERE user = 'app'", {"cis-2.7"}),
        ("UPDATE mysql.user SET authentication_string = '' WHERE user = 'exporter'",
         f"ALTER USER exporter@'{FROM}' IDENTIFIED BY 'Aa1-exporter-9876543210'",
         {"cis-7.3", "cis-7.8"}),
        ("ALTER USER 'mysql.sys'@localhost ACCOUNT UNLOCK",
         "ALTER USER 'mysql.sys'@localhost ACCOUNT LOCK", {"cis-2.11"}),
        ("CREATE USER root@'172.30.0.9' IDENTIFIED WITH auth_socket",
         "DROP USER root@'172.30.0.9'", {"cis-2.5", "cis-2.13", "cis-2.16"}),
        (f"GRANT DROP ON clinic.* TO {APP}", f"REVOKE DROP ON clinic.* FROM {APP}", {"cis-5.9"}),
        (f"REVOKE DELETE ON clinic.* FROM {APP}", f"GRANT DELETE ON clinic.* TO {APP}",
         {"cis-5.9"}),
        (f"GRANT SELECT ON mysql.user TO {APP}", f"REVOKE SELECT ON mysql.user FROM {APP}",
         {"cis-5.1", "cis-5.9", "mysql-conf-03 (safe-user-create)"}),
        (f"GRANT SELECT ON *.* TO {APP}", f"REVOKE SELECT ON *.* FROM {APP}",
         {"cis-5.1", "own-global-grants"}),
        (f"GRANT SELECT ON clinic.* TO {APP} WITH GRANT OPTION",
         f"REVOKE GRANT OPTION ON clinic.* FROM {APP}", {"cis-5.7"}),
        (f"GRANT SHOW DATABASES ON *.* TO {APP}", f"REVOKE SHOW DATABASES ON *.* FROM {APP}",
         {"mysql-conf-03 (skip-show-database)", "own-global-grants"}),
        (f"GRANT PROCESS ON *.* TO {APP}", f"REVOKE PROCESS ON *.* FROM {APP}",
         {"cis-5.3", "own-global-grants"}),
        *(
            (f"GRANT {privilege} ON *.* TO {BACKUP}", f"REVOKE {privilege} ON *.* FROM {BACKUP}",
             {name, "own-global-grants", *ALSO.get(privilege, ())})
            for name, privilege, _ in AUDIT["grants"].ADMINISTRATIVE
        ),
    ],
)  # fmt: skip
def test_what_is_broken_fails_and_nothing_else(
    server: Server, breaking: str, mending: str, failing: set[str]
) -> None:
    with server.broken(breaking, mending):
        assert set(server.with_outcome("fail")) == failing
