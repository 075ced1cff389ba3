"""Queueing theory: waits for one of several servers. Rates per second, times in seconds.

Here a server is a connection, and its service time how long one checkout takes it.
"""

import math
from collections.abc import Sequence

import numpy as np

MOST_SERVERS = 10_000


def erlang_c(rate: float, service: float, servers: int) -> float:
    """Return the probability of having to wait in M/M/c (Erlang 1917); 1 when it is overloaded.

    By the recursion of Erlang-B, B(k) = aB(k-1) / (k + aB(k-1)), which does not overflow.

    Raises ValueError for a rate or time below zero, or no server.
    """
    _check(rate, service, servers)
    load = rate * service
    if load >= servers:
        return 1.0
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def erlang_c_wait(rate: float, service: float, servers: int) -> float:
    """Return the mean wait in M/M/c, over all, also those who do not wait; inf when overloaded."""
    waiting = erlang_c(rate, service, servers)
    load = rate * service
    return math.inf if load >= servers else waiting * service / (servers - load)


def erlang_c_quantile(rate: float, service: float, servers: int, share: float) -> float:
    """Return the wait that *share* of all stay within: P(W > t) = C exp(-(c - a) t / S)."""
    waiting = erlang_c(rate, service, servers)
    load = rate * service
    if load >= servers:
        return math.inf
    if waiting <= 1 - share:
        return 0.0
    return service / (servers - load) * math.log(waiting / (1 - share))


def allen_cunneen(wait: float, arrivals: float, holds: float) -> float:
    """Return the mean wait in G/G/c from that in M/M/c (Allen 1990, after Cunneen).

    Args:
        wait: of M/M/c with the same load.
        arrivals, holds: squared coefficients of variation; 1 for exponential, 0 for fixed.
    """
    return wait * (arrivals + holds) / 2


def simulated_waits(
    rate: float, holds: Sequence[float], servers: int, seed: int, customers: int = 50_000
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return the waits of *customers*, first come, first served, with holds drawn from a sample.

    Poisson arrivals; the first tenth, which finds the servers empty, is left out. A simulation of
    one queue is these few lines; ciw and simpy are for networks of them, and far slower.

    Raises ValueError without holds, or as :func:`erlang_c`.
    """
    _check(rate, 0.0, servers)
    if not len(holds) or rate <= 0:
        raise ValueError("a simulation needs a rate above zero and at least one hold")
    chance = np.random.default_rng(seed)
    due = np.cumsum(chance.exponential(1 / rate, customers))
    taken = chance.choice(np.asarray(holds, dtype=float), customers)
    free = np.zeros(servers)
    waits = np.empty(customers)
    for index in range(customers):
        first = int(free.argmin())
        waits[index] = max(0.0, free[first] - due[index])
        free[first] = due[index] + waits[index] + taken[index]
    return waits[customers // 10 :]


def _check(rate: float, service: float, servers: int) -> None:
    if rate < 0 or service < 0 or not 1 <= servers <= MOST_SERVERS:
        raise ValueError(
            f"expected a rate and a service time from 0 on and 1 to {MOST_SERVERS} servers, got "
            f"{rate}, {service} and {servers}"
        )
