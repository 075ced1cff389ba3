"""Every account and every class of statement: what each may, and that it may nothing else."""

from __future__ import annotations

# Each does nothing that lasts where it is allowed, in this order.
STATEMENTS = {
    "SELECT": "SELECT COUNT(*) FROM clinic.patient",
    "INSERT": "INSERT INTO clinic.alembic_version SELECT 'x' FROM DUAL WHERE FALSE",
    "UPDATE": "UPDATE clinic.alembic_version SET version_num = version_num",
    "DELETE": "DELETE FROM clinic.alembic_version WHERE FALSE",
    "CREATE TABLE": "CREATE TABLE clinic.probe (id INT PRIMARY KEY, clinician_id BIGINT)",
    "ALTER TABLE": "ALTER TABLE clinic.probe ADD COLUMN note TEXT",
    "CREATE INDEX": "CREATE INDEX probe ON clinic.probe (clinician_id)",
    "REFERENCES": "ALTER TABLE clinic.probe "
    "ADD FOREIGN KEY (clinician_id) REFERENCES clinic.clinician (id)",
    "RENAME TABLE": "RENAME TABLE clinic.probe TO clinic.probed, clinic.probed TO clinic.probe",
    "TRUNCATE": "TRUNCATE TABLE clinic.probe",
    "DROP TABLE": "DROP TABLE clinic.probe",
    "CREATE VIEW": "CREATE VIEW clinic.probe AS SELECT 1",
    "CREATE PROCEDURE": "CREATE PROCEDURE clinic.probe() SELECT 1",
    "CREATE EVENT": "CREATE EVENT clinic.probe ON SCHEDULE EVERY 1 DAY DO SELECT 1",
    "DROP EVENT": "DROP EVENT clinic.probe",
    "CREATE TRIGGER": "CREATE TRIGGER clinic.probe BEFORE INSERT ON clinic.alembic_version "
    "FOR EACH ROW SET @probe = 1",
    "CREATE DATABASE clinic_plan": "CREATE DATABASE clinic_plan",
    "CREATE TABLE clinic_plan": "CREATE TABLE clinic_plan.probe (id INT)",
    "DROP DATABASE clinic_plan": "DROP DATABASE clinic_plan",
    "CREATE DATABASE": "CREATE DATABASE probe",
    "CREATE DATABASE clinicXplan": "CREATE DATABASE clinicXplan",
    "DROP DATABASE": "DROP DATABASE mysql",
    "CREATE USER": "CREATE USER probe",
    "DROP USER": "DROP USER exporter",
    "GRANT": "GRANT SELECT ON clinic.* TO exporter",
    "mysql.user": "SELECT * FROM mysql.user",
    "performance_schema": "SELECT * FROM performance_schema.metadata_locks",
    "write performance_schema": "UPDATE performance_schema.setup_consumers SET enabled = 'NO'",
    "PROCESS": "SELECT * FROM information_schema.innodb_trx",
    "SHOW BINARY LOGS": "SHOW BINARY LOGS",
    "SHOW GLOBAL STATUS": "SHOW GLOBAL STATUS",
    "FLUSH": "FLUSH BINARY LOGS",
    "FILE, write": "SELECT 1 INTO OUTFILE '/tmp/probe'",
    "FILE, read": "LOAD DATA INFILE '/etc/passwd' INTO TABLE clinic.alembic_version",
    "SET GLOBAL": "SET GLOBAL max_connections = 1",
    "SET PERSIST": "SET PERSIST local_infile = ON",
    "INSTALL PLUGIN": "INSTALL PLUGIN probe SONAME 'probe.so'",
    "CREATE FUNCTION": "CREATE FUNCTION probe RETURNS STRING SONAME 'probe.so'",
    "KILL": "KILL 1",
    "SHUTDOWN": "SHUTDOWN",
}

_DATA = {"SELECT", "INSERT", "UPDATE", "DELETE"}
_MONITORING = {"performance_schema", "PROCESS", "SHOW GLOBAL STATUS"}
MAY = {
    "app": _DATA | {"SHOW GLOBAL STATUS"},
    "migrator": _DATA
    | _MONITORING
    | {
        "CREATE TABLE", "ALTER TABLE", "CREATE INDEX", "REFERENCES", "RENAME TABLE", "TRUNCATE",
        "DROP TABLE", "CREATE DATABASE clinic_plan", "CREATE TABLE clinic_plan",
        "DROP DATABASE clinic_plan",
    },
    "exporter": _MONITORING | {"SHOW BINARY LOGS"},
    # Dumping events takes the privilege that also makes them; that account is the machine's root.
    "backup": {
        "SELECT", "PROCESS", "SHOW GLOBAL STATUS", "SHOW BINARY LOGS", "FLUSH", "CREATE EVENT",
        "DROP EVENT",
    },
}  # fmt: skip

DENIED = (1044, 1045, 1094, 1095, 1142, 1227, 1410, 1419, 1698)


def matrix(*accounts: str) -> list[tuple[str, str, bool]]:
    """Each of *accounts* with each class of statement, and whether it may."""
    return [(account, name, name in MAY[account]) for account in accounts for name in STATEMENTS]


def as_expected(may: bool, answer: str) -> bool:
    """Whether what ``mysql`` printed is an answer where it may, and a refusal where it may not."""
    refused = any(f"ERROR {code} " in answer for code in DENIED)
    return "ERROR" not in answer if may else refused
