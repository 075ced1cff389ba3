"""How the server would carry a change out, in its own words.

MySQL is told how it has to change a table, and refuses before it touches anything when it cannot:
no table of rules can disagree with the server that does the work.
"""

from __future__ import annotations

import re

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migrations.guard.errors import GuardError
from migrations.guard.statements import Kind, kind

NOT_SUPPORTED = (1845, 1846)
# From the one that nobody notices to the one that reads and writes go on during.
_ASSERTED = {
    Kind.ALTER: (", ALGORITHM=INSTANT", ", ALGORITHM=INPLACE, LOCK=NONE"),
    Kind.INDEX: (" ALGORITHM=INPLACE LOCK=NONE",),
    Kind.DROP_INDEX: (" ALGORITHM=INPLACE LOCK=NONE",),
}
# MariaDB, which serves nobody here, cannot rebuild a table online that indexes virtual columns, and
# drops an index as it likes.
_MARIADB = {
    Kind.ALTER: (*_ASSERTED[Kind.ALTER], ", ALGORITHM=INPLACE, LOCK=SHARED"),
    Kind.DROP_INDEX: (),
}
_SAFE_WAYS = (
    (r"\bFOREIGN\s+KEY\b",
     "Leave the constraint out and check in the application, or add it while nobody writes."),
    (r"\bCHECK\b",
     "Check it in the application; or add it NOT ENFORCED, which is instant and says the rule."),
    (r"\b(?:MODIFY|CHANGE)\b",
     "Add a new column beside it, write both, backfill in batches (flask schema backfill), switch "
     "reads, and drop the old one in a later release."),
    (r"\bFULLTEXT\b", "Create it while nobody writes, or search with another engine."),
    (r"\bPRIMARY\s+KEY\b", "Build a new table with the key, copy in batches, and switch."),
    (r"\bAS\s*\(", "Make the column VIRTUAL, which is instant, and index it."),
)  # fmt: skip


class Unsafe(GuardError):  # noqa: N818
    """The server would copy the table and block its writes meanwhile."""


def asserted(connection: Connection, sql: str) -> str | None:
    """Run *sql* the gentlest way that the server can.

    Returns: the algorithm that the server accepted; None where there is nothing to choose.

    Raises:
        Unsafe: it would have to copy the table. Nothing was changed.
    """
    known = _ASSERTED | (_MARIADB if connection.dialect.is_mariadb else {})  # type: ignore[attr-defined]
    clauses = known.get(kind(sql), ())
    if re.search(
        r"\b(?:ALGORITHM|LOCK)\s*=?\s*(?:COPY|SHARED|EXCLUSIVE|DEFAULT)\b", sql, re.IGNORECASE
    ):
        raise Unsafe("it asks to copy the table or to block it meanwhile")
    if not clauses or re.search(r"\bALGORITHM\b", sql, re.IGNORECASE):
        connection.exec_driver_sql(sql)
        return None
    for clause in clauses:
        try:
            connection.exec_driver_sql(sql + clause)
        except DBAPIError as error:
            if code(error) not in NOT_SUPPORTED:
                raise
            refusal = error
        else:
            return "INSTANT" if "INSTANT" in clause else "INPLACE"
    reason = str(refusal.orig.args[-1]) if refusal.orig else str(refusal)
    raise Unsafe(f"it would copy the table and block its writes meanwhile ({reason})") from None


def safe_way(sql: str) -> str:
    """How to write what *sql* wants so that nobody waits."""
    found = (way for pattern, way in _SAFE_WAYS if re.search(pattern, sql, re.IGNORECASE))
    return next(found, "Write it as an expansion and a later contraction.")


def code(error: DBAPIError) -> int | None:
    """The server's number of an error."""
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None
