"""The alerts, as Python: each is tested by promtool and has its heading in the runbook.

A rule says what is wrong for users or will soon be, and not which part moved. All series are summed
over workers, for a person looks at a replica's pool first and then at its workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from monitoring import thresholds as limit

RUNBOOK: Final = "monitoring/runbook.md"
CRITICAL, WARNING, INFO = "critical", "warning", "info"

FLEET = "job, db_client_connection_pool_name"
POOL = "job, instance, db_client_connection_pool_name"
THE_POOL = "Pool {{ $labels.db_client_connection_pool_name }} of {{ $labels.instance }}"
USED = f'sum by ({POOL}) (db_client_connection_count{{db_client_connection_state="used"}})'
LIMIT = f"sum by ({POOL}) (db_client_connection_max)"


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        expression: PromQL; what it returns is wrong, and its value is told.
        wait: seconds for which that must last.
        when: what it means that this fires, for the runbook's table.
        summary, description: of one that fires, with its labels and its value.
    """

    name: str
    severity: str
    wait: int
    when: str
    expression: str
    summary: str
    description: str

    @property
    def anchor(self) -> str:
        """Where the runbook is about it."""
        return f"{RUNBOOK}#{self.name.lower()}"

    def rule(self) -> dict[str, Any]:
        """The alert as Prometheus has it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            **({"for": f"{self.wait}s"} if self.wait else {}),
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": self.anchor,
            },
        }


def wait_quantile(q: float) -> str:
    """The *q* quantile of the last minute's checkouts, seconds."""
    buckets = "rate(db_client_connection_wait_time_seconds_bucket[1m])"
    return f"histogram_quantile({q}, sum by (le, {POOL}) ({buckets}))"


def absent(job: str) -> str:
    """Targets of *job* that do not answer, or the job when it has none."""
    return f'up{{job="{job}"}} == 0 or absent(up{{job="{job}"}})'


def error_ratio(window: str) -> str:
    """The name of the recorded share of the API's requests that failed in *window*."""
    return f"job:flask_http_request_errors:ratio_rate{window}"


# fmt: off
ALERTS: Final = (
    Alert(
        "PoolSaturated", WARNING, limit.PATIENCE,
        f"{limit.SATURATION_FULL:.0%} of what the pool may open is in use for {limit.PATIENCE} s",
        f"{USED} / {LIMIT} >= {limit.SATURATION_FULL}",
        f"{THE_POOL} is full.",
        "{{ $value | humanizePercentage }} of its connections are in use. The next requests wait.",
    ),
    Alert(
        "PoolWaiters", WARNING, limit.PATIENCE,
        f"threads have been waiting for a connection for {limit.PATIENCE} s",
        f"sum by ({POOL}) (db_client_connection_pending_requests) > 0",
        f"{THE_POOL}: requests wait for a connection.",
        "{{ $value }} threads are blocked until a connection comes back.",
    ),
    Alert(
        "PoolWaitSlow", WARNING, limit.PATIENCE,
        f"5 of 100 checkouts take more than {limit.WAIT_SLOW:.0%} of pool_timeout",
        f"{wait_quantile(0.95)}"
        f" > {limit.WAIT_SLOW} * max by ({POOL}) (sqlalchemy_pool_timeout_seconds)",
        f"{THE_POOL}: it takes long to get a connection.",
        "5 of 100 checkouts take {{ $value | humanizeDuration }} or more.",
    ),
    Alert(
        "PoolTimeouts", CRITICAL, 0,
        "in the last minute, requests were refused because no connection came back in time",
        f"sum by ({POOL}) (increase(db_client_connection_timeouts_total[1m])) > 0",
        f"{THE_POOL} refuses requests.",
        "{{ $value | humanize }} requests waited pool_timeout in vain in the last minute.",
    ),
    Alert(
        "PoolLeakSuspected", WARNING, 0,
        "a connection has been borrowed for longer than CLINIC_POOL_LEAK_THRESHOLD",
        f"sum by ({POOL}) (sqlalchemy_pool_leaks_suspected) > 0",
        f"{THE_POOL}: connections do not come back.",
        "{{ $value }} connections have been borrowed for longer than the leak threshold.",
    ),
    Alert(
        "PoolConnectFailures", CRITICAL, 0,
        "in the last minute, connections could not be opened",
        f"sum by ({POOL}, reason) (increase(sqlalchemy_pool_connect_failures_total[1m])) > 0",
        f"{THE_POOL} cannot connect: {{{{ $labels.reason }}}}.",
        "{{ $value | humanize }} connections could not be opened in the last minute.",
    ),
    Alert(
        "PoolBudgetOvercommitted", WARNING, 60,
        "all pools together may open more connections than the server has for them",
        # As it was told, or as it is while replicas are added or replaced.
        f"(max by ({FLEET}) (sqlalchemy_pool_budget_needed)"
        f" > max by ({FLEET}) (sqlalchemy_pool_budget_limit))"
        f" or (sum by ({FLEET}) (db_client_connection_max)"
        f" > max by ({FLEET}) (sqlalchemy_pool_budget_limit))",
        "Pool {{ $labels.db_client_connection_pool_name }} may ask for more than the server has.",
        "Workers x (pool_size + max_overflow) x replicas is {{ $value }}, above the budget.",
    ),
    Alert(
        "ReplicasNotRead", WARNING, 60,
        f"more than {limit.READS_AT_SOURCE:.0%} of what MySQL replicas should answer has been going"
        " to the source for a minute",
        # One in a while is a worker that seldom reads, and had to ask anew how fresh they are.
        'sum by (job) (rate(clinic_reads_total{reason=~"stale|away"}[1m]))'
        ' / sum by (job) (rate(clinic_reads_total{reason!="wrote"}[1m]))'
        f" > {limit.READS_AT_SOURCE}",
        "The source answers what MySQL's replicas should.",
        "{{ $value | humanizePercentage }} of these reads go to the source instead.",
    ),
    Alert(
        "PoolDisagreesWithMySQL", WARNING, 60,
        f"pools and processlist differ by more than {limit.DISAGREEMENT} connections",
        "abs(sum(db_client_connection_count)"
        ' - sum(mysql_info_schema_processlist_processes_by_user{mysql_user="app"}))'
        f" > {limit.DISAGREEMENT}",
        "The pools and MySQL disagree about the application's connections.",
        "They differ by {{ $value }}: one of them is wrong, or something else uses the account.",
    ),
    Alert(
        "PoolMetricsFaulty", WARNING, 0,
        "the pool's instrumentation had an error of its own",
        f"sum by ({POOL}) (increase(sqlalchemy_pool_faults_total[5m])) > 0",
        f"{THE_POOL}: its metrics are not to be trusted.",
        "{{ $value | humanize }} errors inside the instrumentation in the last 5 minutes.",
    ),
    Alert(
        "MySQLConnectionsNearLimit", WARNING, 60,
        f"{limit.SERVER_NEAR_LIMIT:.0%} of max_connections are open",
        "max by (instance) (mysql_global_status_threads_connected"
        f" / mysql_global_variables_max_connections) > {limit.SERVER_NEAR_LIMIT}",
        "MySQL will soon refuse connections.",
        "{{ $value | humanizePercentage }} of max_connections are open.",
    ),
    Alert(
        "MySQLDown", CRITICAL, 10,
        "the exporter cannot log in to MySQL",
        'mysql_up{role!="replica"} == 0',
        "MySQL does not answer.",
        "The exporter {{ $labels.instance }} cannot log in to it.",
    ),
    Alert(
        "MySQLReplicaDown", WARNING, 30,
        "the exporter cannot log in to a replica of MySQL, or through Router",
        'mysql_up{role="replica"} == 0',
        "A replica of MySQL does not answer.",
        "The exporter cannot log in at {{ $labels.instance }}.",
    ),
    Alert(
        "MySQLRestarted", INFO, 0,
        f"MySQL was started again within {limit.RESTART_SEEN} s",
        f"resets(mysql_global_status_uptime[{limit.RESTART_SEEN}s]) > 0",
        "MySQL was restarted.",
        "{{ $value }} restarts in the last minutes. All connections were lost.",
    ),
    Alert(
        "ExporterDown", CRITICAL, limit.DOWN,
        "mysqld_exporter does not answer, or is no target",
        absent("mysql"),
        "Nothing is known of MySQL.",
        "mysqld_exporter does not answer Prometheus.",
    ),
    Alert(
        "AppDown", CRITICAL, limit.DOWN,
        "a replica's metrics port does not answer, or there is no replica",
        absent("app"),
        "The application, or a replica of it, is gone.",
        "{{ if $labels.instance }}{{ $labels.instance }} does not answer Prometheus."
        "{{ else }}Prometheus finds no replica of it.{{ end }}",
    ),
    *(
        Alert(
            f"ErrorBudgetBurn{speed}", severity, 0,
            f"failed requests use up the error budget {factor:g} times too fast, "
            f"over {long} and still over {short}",
            f"{error_ratio(long)} > {factor} * {1 - limit.AVAILABILITY:.3f}"
            f" and {error_ratio(short)} > {factor} * {1 - limit.AVAILABILITY:.3f}",
            f"The API fails {factor:g} times more often than promised.",
            f"{{{{ $value | humanizePercentage }}}} of its requests failed in the last {long}.",
        )
        for (speed, severity), ((short, long), factor) in zip(
            (("Fast", CRITICAL), ("Slow", WARNING)), limit.BURN.items(), strict=True
        )
    ),
    Alert(
        "MigrationRunsLong", WARNING, 0,
        f"a migration has been running for {limit.MIGRATION_LONG} s",
        "time() - max by (job, revision) (clinic_migration_started_timestamp_seconds)"
        f" > {limit.MIGRATION_LONG}",
        "Migration {{ $labels.revision }} runs long.",
        "It has been running for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "CertificateExpiresSoon", WARNING, 0,
        f"a certificate expires within {limit.CERTIFICATE_LEFT // 86400} days",
        "min by (job, name) (clinic_certificate_expires_timestamp_seconds) - time()"
        f" < {limit.CERTIFICATE_LEFT}",
        "Certificate {{ $labels.name }} expires soon.",
        "It expires in {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "BackupTooOld", WARNING, 0,
        f"the last backup is older than {limit.BACKUP_AGE // 3600} hours",
        f"time() - max by (job) (clinic_backup_completed_timestamp_seconds) > {limit.BACKUP_AGE}",
        "There is no recent backup.",
        "The last one is {{ $value | humanizeDuration }} old.",
    ),
    Alert(
        "BinlogsNotArchived", WARNING, 0,
        f"the binary logs were last archived more than {limit.BINLOGS_AGE // 60} minutes ago",
        "time() - max by (job) (clinic_binlogs_archived_timestamp_seconds)"
        f" > {limit.BINLOGS_AGE}",
        "The binary logs are not archived.",
        "What was written in the last {{ $value | humanizeDuration }} is on this machine only.",
    ),
    Alert(
        "RestoreDrillFailed", WARNING, 0,
        "the last restore drill failed, or the last one that passed is older than "
        f"{limit.DRILL_AGE // 86400} days",
        "max by (job) (clinic_restore_drill_success) == 0 or"
        f" time() - max by (job) (clinic_restore_drill_completed_timestamp_seconds)"
        f" > {limit.DRILL_AGE}",
        "Nobody knows whether the backups can be restored.",
        "{{ if eq $value 0.0 }}The last drill failed.{{ else }}The last one that passed is "
        "{{ $value | humanizeDuration }} old.{{ end }}",
    ),
    Alert(
        "DataDiskFull", CRITICAL, 0,
        f"less than {limit.DISK_LEFT:.0%} of MySQL's disk is free",
        "min by (job) (clinic_data_disk_free_bytes / clinic_data_disk_size_bytes)"
        f" < {limit.DISK_LEFT}",
        "MySQL's disk is nearly full.",
        "{{ $value | humanizePercentage }} of it is free.",
    ),
)
# fmt: on


def groups() -> dict[str, Any]:
    """The file of rules, as Prometheus reads it."""
    return {
        "groups": [
            {"name": "slo", "interval": "15s", "rules": list(_ratios())},
            {"name": "alerts", "interval": "5s", "rules": [alert.rule() for alert in ALERTS]},
        ]
    }


def _ratios() -> Iterator[dict[str, str]]:
    for window in (window for pair in limit.BURN for window in pair):
        requests = f"sum by (job) (rate(flask_http_request_total[{window}]))"
        failed = f'sum by (job) (rate(flask_http_request_total{{status=~"5.."}}[{window}]))'
        yield {"record": error_ratio(window), "expr": f"{failed} / {requests}"}
