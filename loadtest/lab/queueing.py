"""Queueing theory: waits for one of several servers. Rates per second, times in seconds.

Here a server is a connection, and its service time how long one checkout takes it.
"""

import math
from collections.abc import Sequence
from heapq import heapreplace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MOST_SERVERS = 10_000
WARM_UP = 10  # one in so many customers, the first ones, finds the servers emptier than usual


class Waits(NamedTuple):
    """What was simulated, in seconds: the mean wait, and the one that a share stays within."""

    mean: float
    quantile: float


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
    """Return the wait that *share* of all stay within in M/M/c: the inverse of the former.

    Raises ValueError for a share that is not from 0 to below 1, or as :func:`erlang_c`.
    """
    _check_share(share)
    waiting = erlang_c(rate, service, servers)
    load = rate * service
    if load >= servers:
        return math.inf
    if waiting <= 1 - share:
        return 0.0
    return service / (servers - load) * math.log(waiting / (1 - share))


def erlang_c_servers(
    rate: float, service: float, wait: float, share: float, most: int = MOST_SERVERS
) -> int:
    """Return the fewest servers with which *share* of all wait at most *wait* in M/M/c.

    Raises ValueError when *most* are too few, or as :func:`erlang_c_quantile`.
    """
    _check(rate, service, most)
    _check_wait(wait)
    for servers in range(math.floor(rate * service) + 1, most + 1):
        if erlang_c_quantile(rate, service, servers, share) <= wait:
            return servers
    raise ValueError(f"{most} are too few for {share:.3g} of all to wait at most {wait:g} s")


def allen_cunneen(wait: float, arrivals: float, holds: float) -> float:
    """Return the mean wait in G/G/c from that in M/M/c (Allen 1990, after Cunneen).

    Args:
        wait: of M/M/c with the same load.
        arrivals, holds: squared coefficients of variation; 1 for exponential, 0 for fixed.
    """
    if not (wait >= 0 and 0 <= arrivals < math.inf and 0 <= holds < math.inf):
        raise ValueError(f"expected figures from 0 on, got {wait}, {arrivals} and {holds}")
    return wait * (arrivals + holds) / 2 if math.isfinite(wait) else wait


def simulated_waits(
    rate: float, holds: Sequence[float], servers: int, seed: int, customers: int = 50_000
) -> Array:
    """Return the waits of *customers*, first come, first served, with holds drawn from a sample.

    Poisson arrivals; the first tenth, which finds the servers empty, is left out. A simulation of
    one queue is these few lines; ciw and simpy are for networks of them, and far slower.

    Raises ValueError without holds, or as :func:`erlang_c`.
    """
    _check(rate, 0.0, servers)
    if not len(holds) or rate <= 0 or customers < 1:
        raise ValueError("a simulation needs a rate above zero, a hold and a customer at least")
    chance = np.random.default_rng(seed)
    due = np.cumsum(chance.exponential(1 / rate, customers))
    taken = chance.choice(np.asarray(holds, dtype=float), customers)
    return served_in_turn(due, taken, servers)[customers // WARM_UP :]


def served_in_turn(
    arrivals: Sequence[float] | Array,
    holds: Sequence[float] | Array,
    servers: int,
) -> Array:
    """Return the waits of customers with these arrival times, in order, and these holds.

    Each goes to the server that is free first (Kiefer and Wolfowitz 1955).

    Raises ValueError where they are not as many, arrivals not in order, or a hold below zero.
    """
    _check(0.0, 0.0, servers)
    if len(arrivals) != len(holds):
        raise ValueError(f"expected a hold for each arrival, got {len(arrivals)} and {len(holds)}")
    if (np.diff(arrivals) < 0).any() or (np.asarray(holds) < 0).any():
        raise ValueError("expected arrivals in order, and holds from 0 on")
    free = [0.0] * servers
    waits = np.empty(len(arrivals))
    for index, (due, taken) in enumerate(zip(arrivals, holds, strict=True)):
        begins = max(due, free[0])
        waits[index] = begins - due
        heapreplace(free, begins + taken)
    return waits


def simulate(
    rate: float, holds: Sequence[float], servers: int, share: float, seed: int = 1
) -> Waits:
    """Return the figures of :func:`simulated_waits`; inf when overloaded, as nothing settles."""
    _check_share(share)
    if len(holds) and rate * float(np.mean(holds)) >= servers:
        return Waits(math.inf, math.inf)
    waits = simulated_waits(rate, holds, servers, seed)
    return Waits(float(waits.mean()), float(np.quantile(waits, share)))


def _check(rate: float, service: float, servers: int) -> None:
    finite = math.isfinite(rate) and math.isfinite(service)
    if not finite or rate < 0 or service < 0 or not 1 <= servers <= MOST_SERVERS:
        raise ValueError(
            f"expected a rate and a service time from 0 on and 1 to {MOST_SERVERS} servers, got "
            f"{rate}, {service} and {servers}"
        )


def _check_share(share: float) -> None:
    if not 0 <= share < 1:
        raise ValueError(f"expected a share from 0 to below 1, got {share}")


def _check_wait(wait: float) -> None:
    if math.isnan(wait) or wait < 0:
        raise ValueError(f"expected a wait from 0 on, got {wait}")
