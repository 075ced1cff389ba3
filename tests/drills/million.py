"""A million rows: seeded within two minutes, and free slots read as fast on the last page.

Time is the server's work, counted in rows that its handlers read for a page, not seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from time import monotonic

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import create_app
from app.clinic import catalogue
from app.clinic.paging import Page
from app.clinic.seed import sizes
from app.database import transaction
from app.settings import Settings
from loadtest.lab.database import PrivateDatabase
from tests.conftest import flask
from tests.drills import record

PATIENTS = 200_000
SEED_SECONDS = 120
PAGE = 100
STRIDE = 5000  # rows between the pages that are measured


def main() -> None:
    """Seed, read pages from the first to the last, and record."""
    with PrivateDatabase.running() as server:
        flask(server, "db", "upgrade")
        began = monotonic()
        flask(server, "seed", "--patients", str(PATIENTS), timeout=600)
        seconds = monotonic() - began
        reads = _reads_per_page(server)
        findings = {
            "rows": sum(sizes(PATIENTS).values()),
            "seed_seconds": round(seconds, 1),
            "rows_read_for_first_page": reads[0],
            "rows_read_for_last_page": reads[-1],
            "most_rows_read_for_a_page": max(reads),
            "pages_measured": len(reads),
        }
        passed = seconds < SEED_SECONDS and max(reads) < 2 * reads[0]
        record("million", passed, server.name, findings)


def _reads_per_page(server: PrivateDatabase) -> list[int]:
    environment = server.environment("app")
    settings = Settings(
        db_port=server.port, db_password_file=environment["CLINIC_DB_PASSWORD_FILE"]
    )
    with create_app(settings).app_context():
        reads: list[int] = []
        cursor: str | None = None
        rows = 0
        while True:
            page, read = transaction(partial(_measured, after=cursor))
            if rows % STRIDE == 0 or page.next is None:
                reads.append(read)
            if page.next is None:
                return reads
            rows += len(page.items)
            cursor = page.next


def _measured(session: Session, after: str | None) -> tuple[Page, int]:
    before = _handler_reads(session)
    page = catalogue.free_slots(session, PAGE, datetime.now(UTC), after=after)
    return page, _handler_reads(session) - before


def _handler_reads(session: Session) -> int:
    rows = session.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'"))
    return sum(int(value) for _, value in rows)


if __name__ == "__main__":
    main()
