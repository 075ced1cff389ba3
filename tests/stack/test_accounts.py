"""Each database account may do its work and is refused everything else."""

from __future__ import annotations

import pytest

from tests.grants import STATEMENTS, as_expected, matrix
from tests.stack.stack import Stack


def as_account(stack: Stack, account: str, statement: str, options: str = "") -> str:
    """Run a statement over verified TLS as `account`; return output and error."""
    secrets = "/run/secrets/clinic"
    return stack.shell(
        "mysql",
        f"MYSQL_PWD=$(cat {secrets}/{account}_password) mysql --no-defaults --host=127.0.0.1 "
        f"--user={account} --ssl-ca={secrets}/ca.pem --ssl-mode=VERIFY_IDENTITY {options} "
        f'--execute="{statement}" 2>&1',
        check=False,
    )


@pytest.mark.parametrize(("account", "statement", "may"), matrix("app", "migrator", "exporter"))
def test_account_may_this_and_nothing_else(
    stack: Stack, account: str, statement: str, may: bool
) -> None:
    answer = as_account(stack, account, STATEMENTS[statement])
    assert as_expected(may, answer), answer


@pytest.mark.parametrize("account", ["app", "migrator", "exporter"])
def test_account_is_refused_without_tls(stack: Stack, account: str) -> None:
    answer = as_account(stack, account, "SELECT 1", "--ssl-mode=DISABLED")
    assert "ERROR 3159" in answer or "ERROR 1045" in answer, answer


@pytest.mark.parametrize("account", ["root", "app"])
def test_a_wrong_password_is_refused(stack: Stack, account: str) -> None:
    client = f"MYSQL_PWD=wrong mysql --no-defaults --host=127.0.0.1 --user={account} -e 'DO 1' 2>&1"
    assert "ERROR 1045" in stack.shell("mysql", client, check=False)


def test_root_is_for_the_socket_only(stack: Stack) -> None:
    answer = as_account(stack, "root", "SELECT 1")
    assert "ERROR 1045" in answer
    assert stack.sql("SELECT host FROM mysql.user WHERE user = 'root'") == [["localhost"]]


def test_there_are_no_other_accounts(stack: Stack) -> None:
    rows = stack.sql(
        "SELECT user, ssl_type FROM mysql.user WHERE account_locked = 'N' ORDER BY user"
    )
    assert rows == [["app", "ANY"], ["exporter", "ANY"], ["migrator", "ANY"], ["root", ""]]


def test_every_connection_of_the_application_is_encrypted(stack: Stack) -> None:
    assert stack.get("/readyz")[0] == 200
    versions = stack.sql(
        "SELECT DISTINCT s.variable_value FROM performance_schema.threads t "
        "JOIN performance_schema.status_by_thread s USING (thread_id) "
        "WHERE t.processlist_user = 'app' AND s.variable_name = 'Ssl_version'"
    )
    assert versions == [["TLSv1.3"]]


def test_the_server_is_configured_as_the_file_says(stack: Stack) -> None:
    assert "accepted" in stack.shell("mysql", "mysqld --validate-config && echo accepted")
    rows = stack.sql(
        "SELECT @@require_secure_transport, @@local_infile, @@time_zone, @@performance_schema, "
        "@@collation_server, @@innodb_flush_log_at_trx_commit, @@sync_binlog"
    )
    assert rows == [["1", "0", "+00:00", "1", "utf8mb4_unicode_520_ci", "1", "1"]]
