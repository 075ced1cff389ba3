"""Are these pool settings sound? Rules that need no traffic, only the settings and a few facts.

Each rule is a pure function of a :class:`Setup`. A rule that needs what nobody knows is skipped,
and the report says so: silence means "kept" for the rules that were tried, and for no others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from .budget import Budget


class Severity(StrEnum):
    """How bad it is: requests will fail for it, or it costs something or hides something."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The application's settings, each under its name, and what is known of its surroundings.

    Times are in seconds; None is what nobody knows.

    Attributes:
        pool_size: of each worker; 0 is unlimited, as in SQLAlchemy.
        pool_max_overflow: below 0 is unlimited.
        pool_recycle: below 0 is never.
        held_at_once: most connections that one thread holds at the same time.
        proxy_timeout: after which the proxy in front gives a request up.
        graceful_timeout: that a stopping worker leaves to its requests.
        max_connections, wait_timeout: the server's.
    """

    workers: int
    threads: int
    replicas: int
    pool_size: int
    pool_max_overflow: int
    pool_timeout: float
    pool_recycle: float
    db_connect_timeout: float
    db_lock_wait_timeout: float
    db_max_execution_time: float
    db_read_timeout: float
    db_reserved_connections: int
    held_at_once: int = 1
    proxy_timeout: float | None = None
    graceful_timeout: float | None = None
    max_connections: int | None = None
    wait_timeout: float | None = None

    @property
    def is_unlimited(self) -> bool:
        """Whether the pool opens any number of connections."""
        return self.pool_size == 0 or self.pool_max_overflow < 0

    @property
    def reach(self) -> int:
        """Most connections that a worker's threads hold at once."""
        return self.threads * self.held_at_once

    @property
    def limit(self) -> int:
        """Most connections of a worker; where its pool sets no limit, its threads do."""
        return self.reach if self.is_unlimited else self.pool_size + self.pool_max_overflow

    @property
    def budget(self) -> Budget:
        """The fleet's budget, once ``max_connections`` is known."""
        return Budget(
            workers=self.workers,
            replicas=self.replicas,
            size=self.limit if self.is_unlimited else self.pool_size,
            max_overflow=0 if self.is_unlimited else self.pool_max_overflow,
            max_connections=int(self.value("max_connections")),
            reserve=self.db_reserved_connections,
        )

    def knows(self, name: str) -> bool:
        """Whether the setting or fact *name* is known."""
        return getattr(self, name) is not None

    def value(self, name: str) -> float:
        """The setting or fact *name*, which must be known."""
        return float(getattr(self, name))


@dataclass(frozen=True)
class Finding:
    """A rule that is broken.

    Attributes:
        setting: the one to change first; there may be others in the advice.
        what: is the case, with its numbers.
        why: that matters.
        advice: what to do.
    """

    rule: str
    severity: Severity
    setting: str
    what: str
    why: str
    advice: str


@dataclass(frozen=True)
class Rule:
    """A rule: its name, the facts without which it says nothing, and the test itself."""

    name: str
    needs: tuple[str, ...]
    check: Callable[[Setup], Finding | None]


@dataclass(frozen=True)
class Skipped:
    """A rule that was not tried, for want of facts."""

    rule: str
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What all rules found, errors first, and which were not tried."""

    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]


def examine(setup: Setup) -> Report:
    """Try every rule on *setup*."""
    findings, skipped = [], []
    for rule in RULES:
        unknown = tuple(name for name in rule.needs if not setup.knows(name))
        if unknown:
            skipped.append(Skipped(rule.name, unknown))
        elif finding := rule.check(setup):
            findings.append(finding)
    findings.sort(key=lambda finding: finding.severity is not Severity.ERROR)
    return Report(tuple(findings), tuple(skipped))


def _unlimited(setup: Setup) -> Finding | None:
    if not setup.is_unlimited:
        return None
    return Finding(
        "unlimited-pool",
        Severity.WARNING,
        "pool_size" if setup.pool_size == 0 else "pool_max_overflow",
        "The pool opens any number of connections.",
        "Nobody waits in it or is refused by it, until the server refuses everybody (error 1040).",
        "Set pool_size to 1 or more, and pool_max_overflow to 0 or more.",
    )


def _unreachable(setup: Setup) -> Finding | None:
    if setup.limit <= setup.reach:
        return None
    return Finding(
        "unreachable-connections",
        Severity.WARNING,
        "pool_size",
        f"{setup.limit - setup.reach} of the pool's {setup.limit} connections are out of reach: "
        f"{setup.threads} threads hold {setup.reach} at most.",
        "The pool never fills, so nobody is seen waiting in it: requests queue for a thread. "
        "And the budget pays for connections that are never opened.",
        _to_the_threads(setup),
    )


def _hidden_queue(setup: Setup) -> Finding | None:
    # A pool that is safe for nested checkouts has more than half as many places as there are
    # threads, always; see _nested. That cannot be mended by more threads.
    if setup.held_at_once > 1 or setup.is_unlimited:
        return None
    if not setup.limit <= setup.threads < 2 * setup.limit:
        return None
    return Finding(
        "hidden-queue",
        Severity.WARNING,
        "threads",
        f"{setup.threads} threads are fewer than 2 x ({setup.pool_size} + "
        f"{setup.pool_max_overflow}) = {2 * setup.limit}.",
        "A thread is busy for longer than it holds its connection, so requests queue for a thread, "
        "in front of the application, where no metric of the pool sees them.",
        _to_the_threads(setup),
    )


def _to_the_threads(setup: Setup) -> str:
    if setup.held_at_once > 1:
        return f"Lower pool_size + pool_max_overflow to {setup.reach}."
    half = setup.threads // 2
    lower = f", or lower pool_size + pool_max_overflow to {half}" if half else ""
    return f"Raise threads to {2 * setup.limit}{lower}."


def _nested(setup: Setup) -> Finding | None:
    """HikariCP's bound on pool-locking, T x (C - 1) + 1.

    From "About Pool Sizing", https://github.com/brettwooldridge/HikariCP/wiki/About-Pool-Sizing:
    with one connection less, T threads can each hold C - 1 and wait for the last.
    """
    bound = setup.threads * (setup.held_at_once - 1) + 1
    if setup.limit >= bound:
        return None
    fewer = (setup.limit - 1) // (setup.held_at_once - 1)
    lower = f", or lower threads to {fewer}" if fewer else ""
    return Finding(
        "nested-checkout",
        Severity.ERROR,
        "pool_size",
        f"{setup.threads} threads that each hold {setup.held_at_once} connections at once need "
        f"{setup.threads} x {setup.held_at_once - 1} + 1 = {bound}; the pool has {setup.limit}.",
        "All of them can be held by threads that wait for one more, and none comes back until "
        'pool_timeout ends the wait (HikariCP, "About Pool Sizing": pool-locking).',
        f"Hold one connection at a time; or raise pool_size + pool_max_overflow to {bound}{lower}.",
    )


def _over_budget(setup: Setup) -> Finding | None:
    if setup.budget.fits:
        return None
    return Finding(
        "budget",
        Severity.ERROR,
        "pool_size",
        f"The pools may open more connections than the server grants: {setup.budget}.",
        "The server refuses the rest (error 1040) before any pool makes a thread wait.",
        _to_the_budget(setup.budget, setup.replicas),
    )


def _over_budget_in_restart(setup: Setup) -> Finding | None:
    budget = setup.budget
    if budget.fits_rolling_restart or not budget.fits:
        return None
    return Finding(
        "rolling-restart",
        Severity.WARNING,
        "pool_size",
        f"With one replica more, the pools may open {budget.needed + budget.per_replica} "
        f"connections; the server grants {budget.limit}.",
        "While a new replica takes over from an old one, both have their connections, and the "
        "server may refuse the new one's (error 1040). A reload of gunicorn is the same.",
        _to_the_budget(budget, setup.replicas + 1),
    )


def _to_the_budget(budget: Budget, replicas: int) -> str:
    share = max(0, budget.limit) // (budget.workers * replicas)
    pool = f"pool_size + pool_max_overflow to {share}, or " if share else ""
    enough = budget.per_replica * replicas + budget.reserve
    return f"Lower {pool}workers or replicas; or raise the server's max_connections to {enough}."


def _recycled_too_late(setup: Setup) -> Finding | None:
    idle = setup.value("wait_timeout")
    if 0 <= setup.pool_recycle < idle:
        return None
    when = "never" if setup.pool_recycle < 0 else f"at an age of {setup.pool_recycle:g} s"
    return Finding(
        "recycle",
        Severity.WARNING,
        "pool_recycle",
        f"Connections are replaced {when}; the server closes idle ones after {idle:g} s.",
        "What the server has closed fails when it is next used. The ping before hides it and costs "
        "a reconnect of every older connection; without a ping it is an error (2006, 4031).",
        f"Set pool_recycle below {idle:g}, or raise the server's wait_timeout.",
    )


def _out_of_order(
    setup: Setup, *, lower: str, upper: str, severity: Severity, why: str
) -> Finding | None:
    first, second = setup.value(lower), setup.value(upper)
    if first < second:
        return None
    other = _AROUND.get(upper, upper)
    raised = "" if upper in _AROUND else f", or raise {upper}"
    return Finding(
        "timeout-order",
        severity,
        lower,
        f"{lower} ({first:g} s) is not below {other} ({second:g} s).",
        why,
        f"Lower {lower} below {second:g}{raised}.",
    )


def _longest_wait(setup: Setup) -> Finding | None:
    proxy = setup.value("proxy_timeout")
    waits = (setup.pool_timeout, setup.db_connect_timeout, setup.db_read_timeout)
    # Where one wait alone is too long, timeout-order says so.
    if sum(waits) < proxy or setup.db_read_timeout >= proxy:
        return None
    return Finding(
        "longest-wait",
        Severity.WARNING,
        "db_read_timeout",
        f"A request's first statement may take {' + '.join(f'{wait:g}' for wait in waits)} = "
        f"{sum(waits):g} s for pool, connect and answer; the proxy gives up after {proxy:g} s.",
        "The client is told 504, and the worker goes on with its connection for nobody.",
        f"Lower pool_timeout + db_connect_timeout + db_read_timeout below {proxy:g}.",
    )


_AROUND = {
    "proxy_timeout": "the proxy's timeout",
    "graceful_timeout": "the time that a stopping worker leaves",
}


def _rung(lower: str, upper: str, severity: Severity, why: str) -> Rule:
    check = partial(_out_of_order, lower=lower, upper=upper, severity=severity, why=why)
    return Rule("timeout-order", (lower, upper), check)


RULES = (
    Rule("unlimited-pool", (), _unlimited),
    Rule("unreachable-connections", (), _unreachable),
    Rule("hidden-queue", (), _hidden_queue),
    Rule("nested-checkout", (), _nested),
    Rule("budget", ("max_connections",), _over_budget),
    Rule("rolling-restart", ("max_connections",), _over_budget_in_restart),
    Rule("recycle", ("wait_timeout",), _recycled_too_late),
    _rung(
        "pool_timeout",
        "db_connect_timeout",
        Severity.WARNING,
        "While the server is away, who waits in the pool waits longer than who tries to connect, "
        "and then has to try too: refusals come later, and are not fewer.",
    ),
    _rung(
        "db_connect_timeout",
        "db_lock_wait_timeout",
        Severity.WARNING,
        "A server that is away is noticed later than a row that is locked, so the two look alike.",
    ),
    _rung(
        "db_lock_wait_timeout",
        "db_max_execution_time",
        Severity.WARNING,
        "A locking read is ended as a slow one (error 3024), and nothing says that it waited for a "
        "lock (error 1205).",
    ),
    _rung(
        "db_max_execution_time",
        "db_read_timeout",
        Severity.ERROR,
        "The client hangs up before the server ends the query, which runs on for nobody: the "
        "connection is lost, and the server works on more than the pools' limit.",
    ),
    _rung(
        "db_read_timeout",
        "proxy_timeout",
        Severity.ERROR,
        "The client is told 504, and the worker goes on with its connection for nobody.",
    ),
    _rung(
        "db_read_timeout",
        "graceful_timeout",
        Severity.WARNING,
        "A restart cuts off a request that waits for its answer, without an answer of its own.",
    ),
    Rule("longest-wait", ("proxy_timeout",), _longest_wait),
)
