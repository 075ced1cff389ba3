"""The MySQL dashboard: what the server does, and what it waits for."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring import thresholds as limit
from monitoring.grafana import pool, tokens
from monitoring.grafana.frame import dashboard

STATUS = "mysql_global_status_"


def mysql() -> Dashboard:
    """Return the whole dashboard, panels not yet numbered."""
    return dashboard(
        "mysql", "MySQL", "Is it the server, and what does it wait for?", ROWS, of_pool=False
    )


def status(name: str) -> str:
    """Return the server's status variable `name`."""
    return f"max({STATUS}{name})"


def rate(*names: str, labels: str = "") -> str:
    """Return the server's status counters `names` per second, added up."""
    return " + ".join(f"sum(rate({STATUS}{name}{labels}[$__rate_interval]))" for name in names)


# fmt: off
VERDICT: list[Any] = [
    tokens.yes_or_no(tokens.number(
        "Does it answer?",
        "Whether the exporter can log in. Where it cannot, the application answers 503.",
        "min(mysql_up)", "short", tokens.falling(red_below=1),
    )),
    tokens.number(
        "Since when?",
        "Time since it was started. Small after a restart, which lost every connection.",
        status("uptime"), "s",
    ),
    tokens.number(
        "How full is it?",
        "Open connections, of max_connections. At 100 % it refuses all.",
        pool.SERVER, "percentunit", tokens.steps(limit.SERVER_BUSY, limit.SERVER_NEAR_LIMIT),
    ),
    tokens.number(
        "How many work?",
        "Connections that execute a statement now. More than there are processors: they share.",
        status("threads_running"), "short",
    ),
    tokens.number(
        "How busy?",
        "Statements from clients per second.",
        rate("questions"), "ops",
    ),
    tokens.number(
        "Any slow?",
        "Statements that took longer than long_query_time, in the time shown.",
        f"sum(increase({STATUS}slow_queries[$__range]))", "short", tokens.steps(amber=1),
    ),
]

CONNECTIONS: list[Any] = [
    tokens.curves(
        "Who is connected?",
        "Open connections by account. app is the pools; exporter is this monitoring.",
        "short",
        {"{{mysql_user}}": "sum by (mysql_user) (mysql_info_schema_processlist_processes_by_user)",
         "max_connections": "max(mysql_global_variables_max_connections)"},
    ),
    tokens.curves(
        "Do connections last?",
        "Connections accepted per second, the exporter's own among them, and those that ended "
        "without goodbye. A pool that works makes few.",
        "ops",
        {"accepted": rate("connections"), "aborted clients": rate("aborted_clients"),
         "aborted connects": rate("aborted_connects"),
         "refused": rate("connection_errors_total")},
    ),
]

WORK: list[Any] = [
    tokens.curves(
        "What is it asked?",
        "Statements per second, by kind.",
        "ops",
        {"{{command}}": "sum by (command) (rate(mysql_global_status_commands_total"
            '{command=~"select|insert|update|delete|commit|rollback"}[$__rate_interval]))'},
    ),
    tokens.curves(
        "How are rows reached?",
        "Rows read per second, by the way. read_rnd_next is a scan: a query that lacks an index.",
        "ops",
        {"{{handler}}": "sum by (handler) (rate(mysql_global_status_handlers_total"
            '{handler=~"read_.*"}[$__rate_interval]))'},
    ),
    tokens.curves(
        "Do transactions wait for each other?",
        "Row locks that had to be waited for, per second, and those that are waited for now.",
        "short",
        {"waits per second": rate("innodb_row_lock_waits"),
         "waiting": status("innodb_row_lock_current_waits")},
    ),
    tokens.curves(
        "Does memory suffice?",
        "The share of page reads that had to go to the disk. It falls to nearly nothing when what "
        "is used fits the buffer pool.",
        "percentunit",
        {"from disk": f"{rate('innodb_buffer_pool_reads')} / "
            f"{rate('innodb_buffer_pool_read_requests')}"},
    ),
    tokens.curves(
        "Does it sort or join on disk?",
        "Temporary tables per second, in memory and on disk, and joins without an index.",
        "ops",
        {"temporary tables": rate("created_tmp_tables"), "on disk": rate("created_tmp_disk_tables"),
         "joins without index": rate("select_full_join")},
    ),
    tokens.curves(
        "How much goes over the network?",
        "Bytes per second, from and to all clients.",
        "Bps",
        {"received": rate("bytes_received"), "sent": rate("bytes_sent")},
    ),
]

ROWS = {
    "Is the server well?": VERDICT,
    "Who is connected?": CONNECTIONS,
    "What does it do?": WORK,
}
# fmt: on
