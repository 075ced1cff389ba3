"""What a statement of a migration is, and whether applications that run would break by it.

Only what the server cannot tell is decided here. How a change is carried out is the server's
own word: see :mod:`migrations.guard.algorithm`.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Dialect, text

NAME = r"(?:`(?:[^`]|``)+`|[\w$.]+)"
VERSION_TABLE = "alembic_version"


class Kind(Enum):
    """What the server does with a statement."""

    ALTER = "ALTER TABLE"
    INDEX = "CREATE INDEX"
    DROP_INDEX = "DROP INDEX"
    OTHER_DDL = "other DDL"
    DATA = "data"


_KINDS = (
    (Kind.ALTER, rf"ALTER\s+TABLE\s+(?P<table>{NAME})"),
    (Kind.INDEX, rf"CREATE\s+(?:\w+\s+)?INDEX\s.+?\sON\s+(?P<table>{NAME})"),
    (Kind.DROP_INDEX, rf"DROP\s+INDEX\s.+?\sON\s+(?P<table>{NAME})"),
    (Kind.OTHER_DDL, r"(?:CREATE|DROP|RENAME|TRUNCATE)\s+TABLE\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
                     rf"(?P<table>{NAME})"),
    (Kind.OTHER_DDL, r"(?:CREATE|DROP|RENAME|TRUNCATE|ALTER)\s"),
    (Kind.DATA, r"(?:UPDATE|INSERT\s+(?:IGNORE\s+)?INTO|REPLACE\s+INTO|DELETE\s+FROM)\s+"
                rf"(?P<table>{NAME})"),
)  # fmt: skip
_NOT_A_COLUMN = r"(?!(?:INDEX|KEY|UNIQUE|FULLTEXT|SPATIAL|FOREIGN|PRIMARY|CHECK|CONSTRAINT)\b)"
_BREAKING = (
    (r"DROP\s+TABLE\b", "it drops a table that a running release may use"),
    (r"TRUNCATE\b", "it deletes all rows"),
    (r"RENAME\s+TABLE\b|ALTER\s+TABLE\s.+?\sRENAME\s+(?!COLUMN\b|INDEX\b|KEY\b)",
     "it renames a table that a running release may use"),
    (rf"ALTER\s+TABLE\s.+?\s(?:RENAME\s+COLUMN\b|CHANGE\s+(?:COLUMN\s+)?(?P<old>{NAME})"
     r"\s+(?!(?P=old)\s))", "it renames a column that a running release may use"),
    (rf"ALTER\s+TABLE\s.+?\sDROP\s+(?:COLUMN\s+)?{_NOT_A_COLUMN}{NAME}",
     "it drops a column that a running release may use"),
    (rf"ALTER\s+TABLE\s.+?\sADD\s+(?:COLUMN\s+)?{_NOT_A_COLUMN}{NAME}\s"
     r"(?!.*(?:\sDEFAULT\s|\sAS\s*\(|\sAUTO_INCREMENT)).*\sNOT\s+NULL",
     "a running release leaves the new column out of its INSERT, and it has no default"),
)  # fmt: skip
_TIGHTENING = (
    rf"ALTER\s+TABLE\s.+?\s(?:MODIFY\s+(?:COLUMN\s+)?(?P<column>{NAME})|"
    rf"CHANGE\s+(?:COLUMN\s+)?(?P<changed>{NAME}))\s.*\sNOT\s+NULL"
)


def compiled(construct: Any, dialect: Dialect) -> str:
    """The statement as text on one line."""
    if isinstance(construct, str):
        construct = text(construct)
    return " ".join(str(construct.compile(dialect=dialect)).split()).rstrip(";")


def kind(sql: str) -> Kind:
    """What kind of statement *sql* is; what is unknown counts as data."""
    return next((kind for kind, pattern in _KINDS if _match(pattern, sql)), Kind.DATA)


def table(sql: str) -> str | None:
    """The table that *sql* changes, without quotes and schema, where it names one."""
    for _, pattern in _KINDS:
        found = _match(pattern, sql)
        if found and "table" in found.re.groupindex:
            return _bare(found["table"])
    return None


def breaks(sql: str, connection: Connection) -> str | None:
    """Why releases that run now would fail once *sql* is applied; None where they would not.

    Whether a column is nullable now is looked up on *connection*, which sees the schema before it.
    """
    reason = next((reason for pattern, reason in _BREAKING if _match(pattern, sql)), None)
    if reason or not (found := _match(_TIGHTENING, sql)):
        return reason
    column = _bare(found["column"] or found["changed"])
    known = text(
        "SELECT is_nullable FROM information_schema.columns WHERE table_schema = DATABASE() "
        "AND table_name = :table AND column_name = :column"
    )
    nullable = connection.scalar(known, {"table": table(sql), "column": column})
    return "a running release may write NULL, which it forbids" if nullable == "YES" else None


def adds_rows(sql: str) -> bool:
    """Whether *sql* inserts the rows that it lists, and reads no table for them."""
    return bool(_match(r"(?:INSERT|REPLACE)\s(?!.*\bSELECT\b)", sql))


def keeps_versions(sql: str) -> bool:
    """Whether *sql* is Alembic's own bookkeeping."""
    return table(sql) == VERSION_TABLE


def quoted(name: str) -> str:
    """*name* as MySQL's identifier."""
    return f"`{name.replace('`', '``')}`"


def _bare(name: str) -> str:
    return name.rpartition(".")[2].strip("`").replace("``", "`")


def _match(pattern: str, sql: str) -> re.Match[str] | None:
    return re.match(pattern, sql, re.IGNORECASE | re.DOTALL)
