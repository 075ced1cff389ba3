"""The stack's own health: can what is shown be trusted?"""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.grafana import tokens
from monitoring.grafana.ask import rate
from monitoring.grafana.frame import dashboard


def stack() -> Dashboard:
    """Return the whole dashboard, panels not yet numbered."""
    return dashboard("stack", "Stack health", "Can what is shown be trusted?", ROWS, of_pool=False)


# fmt: off
VERDICT: list[Any] = [
    tokens.number(
        "Do all answer?",
        "The share of targets that answered the last scrape. Below 100 %, something is not shown.",
        'avg(up{job!="loadtest"})', "percentunit", tokens.falling(red_below=1),
    ),
    tokens.number(
        "What fires?",
        "Alerts that fire now. Each has an entry in monitoring/runbook.md.",
        'count(ALERTS{alertstate="firing"}) or vector(0)', "short", tokens.steps(red=1),
    ),
    tokens.number(
        "Do the rules work?",
        "Evaluations of rules that failed, in the time shown.",
        "sum(increase(prometheus_rule_evaluation_failures_total[$__range]))", "short",
        tokens.steps(red=1),
    ),
    tokens.number(
        "Is anybody told?",
        "Notifications that Alertmanager could not deliver, in the time shown.",
        "sum(increase(alertmanager_notifications_failed_total[$__range]))", "short",
        tokens.steps(red=1),
    ),
    tokens.number(
        "How many series?",
        "Series that Prometheus keeps in memory. It grows with replicas and holders, and not with "
        "time.",
        "sum(prometheus_tsdb_head_series)", "short",
    ),
    tokens.number(
        "Any failing?",
        "Collectors of mysqld_exporter that failed: a missing grant, or a server of another kind.",
        "count(mysql_exporter_collector_success == 0) or vector(0)", "short", tokens.steps(amber=1),
    ),
]

DETAILS: list[Any] = [
    tokens.curves(
        "Who answers?",
        "Targets that answered, by job. A step down is a replica or service that is gone.",
        "short", {"{{job}}": "sum by (job) (up)"},
    ),
    tokens.curves(
        "How long does a scrape take?",
        "The slowest target of each job. Above 4 s a scrape is given up.",
        "s", {"{{job}}": "max by (job) (scrape_duration_seconds)"},
    ),
    tokens.curves(
        "How much is scraped?",
        "Samples in one scrape, by job.",
        "short", {"{{job}}": "sum by (job) (scrape_samples_scraped)"},
    ),
    tokens.curves(
        "What was told?",
        "Alerts received and notifications sent by Alertmanager, per second.",
        "ops",
        {"received": rate("alertmanager_alerts_received_total"),
         "sent": rate("alertmanager_notifications_total")},
    ),
    tokens.curves(
        "How much memory is used?",
        "Resident memory of the services that tell it.",
        "bytes", {"{{job}}": "sum by (job) (process_resident_memory_bytes)"},
    ),
    tokens.curves(
        "How much processor time is used?",
        "Processors that the services which tell it keep busy.",
        "short",
        {"{{job}}": rate("process_cpu_seconds_total", by="job")},
    ),
]

TRUTH: list[Any] = [
    tokens.curves(
        "Do pools and MySQL agree?",
        "Open connections as the pools count them and as MySQL's processlist shows for the "
        "application's user. They agree within one scrape, or one of them is wrong.",
        "short",
        {"in the pools": "sum(db_client_connection_count)",
         "MySQL sees": 'sum(mysql_info_schema_processlist_processes_by_user{mysql_user="app"})'},
    ),
    tokens.curves(
        "Does Little's law hold?",
        "Connections in use as the law has it (borrowed per second times seconds of use) and as "
        "measured. A difference that stays is connections that do not come back.",
        "short",
        {"by the law":
            "sum(instance_pool:db_client_connection_use_time_seconds_sum:rate1m)",
         "measured": "sum(instance_pool:db_client_connection_count_used:avg1m)"},
    ),
    tokens.curves(
        "Is the pool's instrumentation well?",
        "Errors of its own, which it counts and does not raise, and leaks that it has told of, in "
        "15 minutes.",
        "short",
        {"faults": "sum(increase(sqlalchemy_pool_faults_total[15m]))",
         "leaks told": "sum(increase(sqlalchemy_pool_leaks_total[15m]))"},
    ),
]

ROWS = {
    "Can this be trusted?": VERDICT,
    "Do the numbers agree?": TRUTH,
    "What is collected?": DETAILS,
}
# fmt: on
