"""Reads that may be a little old, on replicas: where their data is fresh enough.

:func:`read` asks a replica, and the source instead where the client has just changed something,
where no replica's data is known to be young enough, or where none answers. So an answer is at most
``CLINIC_DB_REPLICA_MAX_LAG`` old, and a client finds what it wrote: as long as a replica might not
have it, its cookie keeps it at the source.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from time import monotonic, time
from typing import TypeVar

from flask import Flask, Response, current_app, request
from prometheus_client import Counter, Gauge
from sqlalchemy import String, bindparam, case, func, literal_column, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from app.database import REPLICA, STATEMENT_TIMEOUTS, db, error_code, transaction
from app.freshness import NEVER, Freshness, Sample
from app.settings import Settings

COOKIE = "clinic_wrote"
MARGIN = 1  # seconds that the cookie lasts longer than data may be old
RETRY = 1.0  # seconds for which a replica that failed is left alone
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SOURCE = "source"

Result = TypeVar("Result")

EXECUTED = literal_column("@@global.gtid_executed", String)

log = logging.getLogger(__name__)


def init_app(app: Flask, settings: Settings) -> None:
    """Let *app* read from the replica that *settings* name, if they do."""
    if settings.db_replica_host:
        app.extensions["replicas"] = Replicas(settings.db_replica_max_lag, settings.pool_timeout)
        app.after_request(_keep_at_source)


def read(work: Callable[[Session], Result]) -> Result:
    """Run *work*, which changes nothing, on a replica or on the source, as the module says.

    Raises:
        sqlalchemy.exc.TimeoutError: no connection within ``pool_timeout``.
        sqlalchemy.exc.OperationalError: the source is away too, or the statement took too long.
    """
    replicas: Replicas | None = current_app.extensions.get("replicas")
    return transaction(work) if replicas is None else replicas.read(work)


class StaleError(Exception):
    """This replica's data is not known to be young enough."""


class Replicas:
    """Chooses for each read where it goes.

    Args:
        max_lag: how old data may be, seconds.
        patience: how long a thread waits for a connection (``pool_timeout``), seconds.
    """

    def __init__(self, max_lag: float, patience: float) -> None:
        self._patience = patience
        self._freshness = Freshness(max_lag)
        self._rest_until = NEVER
        self._answered = NEVER
        self._reads = Counter(
            "clinic_reads",
            "Reads that a replica may answer, by who did and why: the data of a replica are fresh; "
            "the client wrote, or the replicas are stale or away, and the source did.",
            ("target", "reason"),
            registry=None,
        )
        self._fresh_at = Gauge(
            "clinic_replica_fresh_timestamp_seconds",
            "The time as of which a replica's data is known to be complete, seconds since 1970.",
            ("server",),
            registry=None,
            multiprocess_mode="max",
        )

    def read(self, work: Callable[[Session], Result]) -> Result:
        """Run *work* where it may run."""
        if COOKIE in request.cookies:
            return self._at_source(work, "wrote")
        if not self._worth_trying():
            return self._at_source(work, "away")
        try:
            result = self._at_replica(work)
        except StaleError:
            return self._at_source(work, "stale")
        except DBAPIError as error:
            if error_code(error) in STATEMENT_TIMEOUTS:  # the source would take as long
                raise
            return self._away(work, error.orig)
        except PoolTimeoutError as error:
            # All its connections are in use: by those who are answered, or by those who wait for
            # a replica that hangs. The source must not get the load of one that is only busy.
            if monotonic() - self._answered < self._patience:
                raise
            return self._away(work, error)
        self._answered = monotonic()
        self._reads.labels(REPLICA, "fresh").inc()
        return result

    def _worth_trying(self) -> bool:
        # After a failure one thread tries, and the others do not wait for what it finds.
        now = monotonic()
        if now < self._rest_until:
            return False
        if self._rest_until != NEVER:
            self._rest_until = now + RETRY
        return True

    def _away(self, work: Callable[[Session], Result], error: BaseException | None) -> Result:
        log.warning("A replica does not answer; the source does: %s", error)
        self._rest_until = monotonic() + RETRY
        return self._at_source(work, "away")

    def _at_source(self, work: Callable[[Session], Result], reason: str) -> Result:
        self._reads.labels(SOURCE, reason).inc()
        return transaction(work)

    def _at_replica(self, work: Callable[[Session], Result]) -> Result:
        if self._freshness.question_is_due(SOURCE):
            self._ask_source()
        with Session(db.engines[REPLICA], expire_on_commit=False) as session, session.begin():
            fresh = self._is_fresh(session)
            self._rest_until = NEVER
            if not fresh:
                raise StaleError
            return work(session)

    def _is_fresh(self, session: Session) -> bool:
        # Kept with the connection: behind one address there may be several servers.
        known = session.connection().info
        server = known.get(REPLICA)
        if server is None or self._freshness.question_is_due(server):
            server = known[REPLICA] = self._ask_replica(session)
        return self._freshness.is_fresh(server)

    def _ask_source(self) -> None:
        asked = monotonic()
        try:
            executed = transaction(lambda session: session.execute(select(EXECUTED)).scalar_one())
        except (DBAPIError, PoolTimeoutError) as error:
            # What it told before is still true, and grows old.
            log.warning("The source does not tell what replicas should have: %s", error)
        else:
            self._freshness.sampled(Sample(asked, executed))

    def _ask_replica(self, session: Session) -> str:
        samples = self._freshness.samples()
        has = [
            (func.gtid_subset(bindparam(None, sample.gtids), EXECUTED), index)
            for index, sample in enumerate(samples)
        ]
        latest = case(*has, else_=None) if has else text("NULL")
        server, name, found = session.execute(
            select(text("@@global.server_uuid"), text("@@global.hostname"), latest)
        ).one()
        if found is not None:
            self._freshness.proved(server, samples[found].moment)
            self._fresh_at.labels(name).set(time() - (monotonic() - samples[found].moment))
        return str(server)


def _keep_at_source(response: Response) -> Response:
    # After whatever may have changed something, errors included: an answer that was lost on the
    # way to the database is not one that the database did not get.
    if request.method not in SAFE_METHODS:
        settings: Settings = current_app.extensions["settings"]
        lasts = math.ceil(settings.db_replica_max_lag) + MARGIN
        response.set_cookie(COOKIE, "1", max_age=lasts, httponly=True, samesite="Lax")
    return response
