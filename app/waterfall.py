"""Where requests waited: the time of each, split into parts, by URL rule.

- ``before_app``: from when the proxy or client sent it, as its ``X-Request-Start`` says, until the
  application began. Where there are no more threads than connections, requests queue here and the
  pool sees none of it. 0 without a header that can be believed.
- ``pool_wait``: blocked until another thread returned a connection, also in vain.
- ``connect``: the rest of asking the pool for a connection: opening and setting it up, and the
  ping before it is handed out.
- ``sql``: statements, commits and rollbacks, until the driver has their results.
- ``held``: holding a connection while none of these runs.
- ``rest``: everything else until the application returned its answer, which is then sent.

Parts are disjoint and add up to the whole. A request that holds several connections at once has
more use time than passes, and even its waiting for the second is use of the first: ``held`` then
takes from ``rest``, never from the other parts. A connection that is not returned within the
request, a leak, is ``rest`` in this one and ``held`` in the one that returns it. Requests in
threads that share their pool counters (see :func:`app.pool.thread_seconds`) are left out.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from prometheus_client import Counter
from sqlalchemy import Dialect, Engine, event

from app.database import db, pool_names
from app.metrics import UNMEASURED
from app.pool import ThreadSeconds, thread_seconds

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LONGEST_QUEUE = 3600.0  # seconds; whoever says more has a wrong clock
YEAR_5138 = 1e11  # seconds; a time beyond is in milliseconds or microseconds

PARTS = ("before_app", "pool_wait", "connect", "sql", "held", "rest")

# What the dialect sends. No event tells when a commit or rollback has ended.
SENT = ("do_execute", "do_executemany", "do_execute_no_params", "do_commit", "do_rollback")

RULE = "clinic.url_rule"  # in a request's environment

_TIME = re.compile(r"(?:t=)?(\d{1,16}(?:\.\d{1,9})?)", re.ASCII)

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Split the time of all requests of *app* but the probes'."""
    with app.app_context():
        for engine in db.engines.values():
            _time_sql(engine)
    app.before_request(_note_rule)
    pools = pool_names(app.extensions["settings"])
    app.wsgi_app = Waterfall(app.wsgi_app, pools)  # type: ignore[method-assign]


class Waterfall:
    """A WSGI application that answers as *app* does, and counts where its time went.

    Args:
        app: the application.
        pools: the names of the pools that it uses.
    """

    def __init__(self, app: WSGIApplication, pools: tuple[str, ...]) -> None:
        self._app = app
        self._pools = pools
        self._seconds = Counter(
            "clinic_request_part_seconds",
            f"Seconds that requests took, by part: {', '.join(PARTS)}. They add up to the whole.",
            ("url_rule", "part"),
            registry=None,
        )
        self._requests = Counter(
            "clinic_request_parts_count",
            "Requests whose parts were counted.",
            ("url_rule",),
            registry=None,
        )
        self._of_rule = cache(self._series)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, as WSGI has it."""
        if environ.get("PATH_INFO") in UNMEASURED:
            return self._app(environ, start_response)
        begun = _Begun.now(environ, self._pools)
        try:
            return self._app(environ, start_response)
        finally:
            self._end(environ, begun)

    def _end(self, environ: WSGIEnvironment, begun: _Begun | None) -> None:
        try:
            if begun is None or (parts := begun.parts()) is None:
                return
            requests, seconds = self._of_rule(_rule(environ))
            requests.inc()
            for part, spent in parts.items():
                if spent:
                    seconds[part].inc(spent)
        except Exception:
            log.exception("The parts of a request were not counted.")

    def _series(self, rule: str) -> tuple[Counter, dict[str, Counter]]:
        # All of a rule at once: a part that is still 0 is not one that is missing.
        parts = {part: self._seconds.labels(rule, part) for part in PARTS}
        return self._requests.labels(rule), parts


@dataclass(frozen=True)
class _Begun:
    """The moment at which the application began with a request.

    Attributes:
        queued: seconds that had passed since it was sent.
        at: the time of ``monotonic()``.
        pools: which are used.
        pool: what this thread had spent on them.
        sql: seconds for which this thread had run SQL.
    """

    queued: float
    at: float
    pools: tuple[str, ...]
    pool: ThreadSeconds
    sql: float

    @classmethod
    def now(cls, environ: WSGIEnvironment, pools: tuple[str, ...]) -> _Begun | None:
        try:
            queued = queued_seconds(environ.get("HTTP_X_REQUEST_START", ""), time())
            pool = thread_seconds(*pools)
            return None if pool is None else cls(queued, monotonic(), pools, pool, _thread.sql)
        except Exception:
            log.exception("The parts of a request are not counted.")
            return None

    def parts(self) -> dict[str, float] | None:
        """The seconds of each part by now; None where they cannot be told."""
        whole, pool = monotonic() - self.at, thread_seconds(*self.pools)
        if pool is None:
            return None
        in_app = split(whole, pool.since(self.pool), _thread.sql - self.sql)
        return {"before_app": self.queued, **in_app}


def queued_seconds(sent: str, now: float) -> float:
    """The seconds from *sent*, an ``X-Request-Start``, to *now*, both since 1970.

    Proxies send seconds, milliseconds or microseconds, some of them after ``t=``. 0 for anything
    else, for the future, and for more than an hour ago.
    """
    found = _TIME.fullmatch(sent)
    if found is None:
        return 0.0
    began = float(found[1])
    while began > YEAR_5138:
        began /= 1000
    seconds = now - began
    return seconds if 0 < seconds <= LONGEST_QUEUE else 0.0


def split(whole: float, pool: ThreadSeconds, sql: float) -> dict[str, float]:
    """The parts of a request that took *whole* seconds in the application.

    Each gets what the parts before it have left, so that none is counted twice.
    """
    measured = {
        "pool_wait": pool.queue_wait,
        "connect": pool.wait - pool.queue_wait,
        "sql": sql,
        "held": pool.use - sql,
    }
    parts, left = {}, whole
    for part, seconds in measured.items():
        parts[part] = min(max(seconds, 0.0), left)
        left -= parts[part]
    return {**parts, "rest": left}


def _note_rule() -> None:
    # Outside of the request's context, nothing else tells it.
    request.environ[RULE] = request.url_rule


def _rule(environ: WSGIEnvironment) -> str:
    # "None" where no rule matches, as for the other HTTP metrics.
    return str(environ.get(RULE))


class _Thread(threading.local):
    sql = 0.0  # seconds


_thread = _Thread()


def _time_sql(engine: Engine) -> None:
    # Once the first connection is there: what the dialect asks of it before is connecting.
    event.listen(engine, "connect", lambda *_: _time_calls(engine.dialect), once=True)


def _time_calls(dialect: Dialect) -> None:
    for name in SENT:
        setattr(dialect, name, _timed(getattr(dialect, name)))


def _timed(send: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        began = monotonic()
        try:
            return send(*arguments, **named)
        finally:
            _thread.sql += monotonic() - began

    return timed
