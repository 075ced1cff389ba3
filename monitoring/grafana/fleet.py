"""Several machines: is each of them used, and do MySQL's replicas answer what they may?"""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring import thresholds as limit
from monitoring.grafana import tokens
from monitoring.grafana.ask import POOL, rate
from monitoring.grafana.frame import dashboard

USED = 'db_client_connection_count{db_client_connection_state="used"}'
BUDGET = "sqlalchemy_pool_budget_limit"
# What pools of the kind that a budget is told of may open now, whatever was planned.
OPENABLE = f"sum by ({POOL}) (db_client_connection_max and on (instance, {POOL}) {BUDGET})"
READS = "clinic_reads_total"
AGE = "time() - max by (server) (clinic_replica_fresh_timestamp_seconds)"


def by_node(series: str) -> str:
    """Return *series*, which replicas of the application have, added up for each machine."""
    by_instance = f"sum by (job, instance) ({series})"
    return f"sum by (node) ({by_instance} * on (job, instance) group_left (node) clinic_node_info)"


def fleet() -> Dashboard:
    """Return the whole dashboard, panels not yet numbered."""
    return dashboard(
        "fleet", "Fleet", "Is every machine used, and do replicas help?", ROWS, of_pool=False
    )


# fmt: off
VERDICT: list[Any] = [
    tokens.number(
        "How many replicas?",
        "Replicas of the application that tell of their pools.",
        "count(count by (instance) (db_client_connection_max))", "short",
    ),
    tokens.number(
        "On how many nodes?",
        "Machines of the Swarm that run one.",
        "count(count by (node) (clinic_node_info))", "short", tokens.steps(),
    ),
    tokens.number(
        "Are pools full?",
        "Connections in use, of all that may be opened, of the pool that is fullest: the source's "
        "or the one for replicas.",
        f"max(sum by ({POOL}) ({USED}) / sum by ({POOL}) (db_client_connection_max))",
        "percentunit",
        tokens.steps(limit.SATURATION_BUSY, limit.SATURATION_FULL),
    ),
    tokens.number(
        "Does it all fit?",
        "What all pools may open at the source now, of what it has for them. Above 100 %, more "
        "replicas are more refusals.",
        f"max({OPENABLE} / on ({POOL}) max by ({POOL}) ({BUDGET}))", "percentunit",
        tokens.steps(limit.SATURATION_FULL, 1.001),
    ),
    tokens.number(
        "Do replicas read?",
        "The share of reads that a replica of MySQL may answer and did. Those who just wrote read "
        "at the source.",
        f"""({rate(READS, 'target="replica"')}) / ({rate(READS)}) >= 0""", "percentunit",
    ),
    tokens.number(
        "How old are reads?",
        "The age up to which the oldest server's data are proven to be complete. It also grows "
        "while nobody reads there.",
        f"max({AGE})", "s",
    ),
]

NODES: list[Any] = [
    tokens.curves(
        "Which node answers?",
        "Requests per second, by machine. One that falls to nothing is gone, or gets none from the "
        "load balancer.",
        "reqps", {"{{node}}": by_node("rate(flask_http_request_total[$__rate_interval])")},
    ),
    tokens.curves(
        "Which node holds connections?",
        "Connections in use, by machine.",
        "short", {"{{node}}": by_node(USED)},
    ),
    tokens.curves(
        "Which replica is full?",
        "Connections in use of what its workers may open, by replica. All full: more replicas, if "
        "they fit the server. One full: its machine is slow.",
        "percentunit",
        {f"{{{{instance}}}} {{{{{POOL}}}}}":
            f"sum by (instance, {POOL}) ({USED}) / sum by (instance, {POOL}) "
            "(db_client_connection_max)"},
    ),
    tokens.curves(
        "Do all replicas fit the server?",
        "What their pools may open at the source now, what was planned for, what the server has "
        "for them, and what it has open.",
        "short",
        {"may be opened": f"max({OPENABLE})", "planned": "max(sqlalchemy_pool_budget_needed)",
         "limit": f"max({BUDGET})",
         "MySQL sees": "max(mysql_global_status_threads_connected)"},
    ),
]

REPLICATION: list[Any] = [
    tokens.curves(
        "Who answers reads?",
        "Reads that a replica may answer, per second, by who did and why. stale: no replica's data "
        "are young enough. away: none answers.",
        "ops", {"{{target}}, {{reason}}": rate(READS, by="target, reason")},
    ),
    tokens.curves(
        "How old are their data?",
        "The age up to which each server's data are proven to be complete. Beyond "
        "CLINIC_DB_REPLICA_MAX_LAG the source is read.",
        "s", {"{{server}}": AGE},
    ),
    tokens.curves(
        "How far do they say they are behind?",
        "Seconds behind the source, as each replica estimates it. It is 0, or missing, where a "
        "replica has lost its source: what counts is the panel beside.",
        "s", {"{{instance}}": "max by (instance) (mysql_slave_status_seconds_behind_source)"},
    ),
    tokens.curves(
        "Who can be logged in to?",
        "1 where the exporter can log in: each server, and Router, where it is in front of them.",
        "short", {"{{job}} {{instance}}": "min by (job, instance) (mysql_up)"},
    ),
    tokens.curves(
        "Where are the application's connections?",
        "Open connections of the account app, by server. Router spreads those of reads.",
        "short",
        {"{{instance}}": "sum by (instance) "
            '(mysql_info_schema_processlist_processes_by_user{mysql_user="app"})'},
    ),
    tokens.curves(
        "How busy is each server?",
        "Statements from clients per second, by server.",
        "ops",
        {"{{instance}}":
            "sum by (instance) (rate(mysql_global_status_questions[$__rate_interval]))"},
    ),
]

ROWS = {
    "Is the fleet well?": VERDICT,
    "Which machine does what?": NODES,
    "Do MySQL's replicas help?": REPLICATION,
}
# fmt: on
