"""Who holds a table's metadata lock, so that a change of it has to wait."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

# Statements end in milliseconds; a session that has held a lock for longer may do so for hours.
_MYSQL = """
SELECT thread.processlist_id, thread.processlist_user, thread.processlist_host,
  MAX(COALESCE(TIMESTAMPDIFF(MICROSECOND, trx.trx_started, NOW(6)) / 1e6,
    thread.processlist_time, 0)) AS seconds,
  MAX(COALESCE(thread.processlist_info, statement.sql_text, '')) AS query
FROM performance_schema.metadata_locks AS held
JOIN performance_schema.threads AS thread ON thread.thread_id = held.owner_thread_id
LEFT JOIN performance_schema.events_statements_current AS statement
  ON statement.thread_id = thread.thread_id
LEFT JOIN information_schema.innodb_trx AS trx
  ON trx.trx_mysql_thread_id = thread.processlist_id
WHERE held.object_type = 'TABLE' AND held.object_schema = DATABASE()
  AND held.object_name = :table AND held.lock_status = 'GRANTED'
  AND thread.processlist_id <> CONNECTION_ID()
GROUP BY 1, 2, 3 HAVING seconds >= :seconds ORDER BY seconds DESC LIMIT 3
"""
# MariaDB does not say whose the lock is; the open transactions are all that can be suspected.
_MARIADB = """
SELECT session.id, session.user, session.host,
  TIMESTAMPDIFF(SECOND, trx.trx_started, NOW()) AS seconds, COALESCE(session.info, '')
FROM information_schema.innodb_trx AS trx
JOIN information_schema.processlist AS session ON session.id = trx.trx_mysql_thread_id
WHERE session.id <> CONNECTION_ID() AND :table <> ''
  AND TIMESTAMPDIFF(SECOND, trx.trx_started, NOW()) >= :seconds
ORDER BY seconds DESC LIMIT 3
"""
GRANTS = "GRANT PROCESS ON *.* and GRANT SELECT ON performance_schema.*"


@dataclass(frozen=True)
class Blocker:
    """A session that holds a lock: *seconds* since its transaction began, its last *query*."""

    id: int
    user: str
    host: str
    seconds: float
    query: str

    def __str__(self) -> str:
        query = f", last statement: {self.query}" if self.query else ", idle in a transaction"
        return f"connection {self.id} of {self.user}@{self.host} for {self.seconds:.0f} s{query}"


def blockers(connection: Connection, table: str, seconds: float = 0.0) -> list[Blocker] | None:
    """Those that have held *table* for *seconds* or longer; None where that cannot be seen.

    MySQL shows it to accounts with PROCESS and SELECT on performance_schema.
    """
    query = _MARIADB if connection.dialect.is_mariadb else _MYSQL  # type: ignore[attr-defined]
    try:
        rows = connection.execute(text(query), {"table": table, "seconds": seconds}).all()
    except DBAPIError:
        return None
    return [
        Blocker(row[0], row[1], row[2], float(row[3]), " ".join(row[4].split())) for row in rows
    ]


def told(found: list[Blocker] | None) -> str:
    """The blockers in words."""
    if found is None:
        return f"who holds it cannot be seen: this account lacks {GRANTS}"
    return "held by " + "; ".join(map(str, found)) if found else "nobody holds it now"
