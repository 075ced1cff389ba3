"""A process that borrows and returns connections of one pool, and tells how long it took.

``python -m benchmarks.cycles VARIANT DATABASE``. It reads numbers of threads from its standard
input, and answers each with the seconds that a cycle took.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from threading import Barrier
from time import perf_counter

from sqlalchemy import Engine

from benchmarks.pools import make_engine

THREADS = 8  # at most, and as many connections
CYCLES = {1: 2000, THREADS: 1000}  # of each thread, in a batch


def main() -> None:
    """Open every connection, then answer until the input ends."""
    variant, database = sys.argv[1:]
    url = f"sqlite:///{database}"
    engine = make_engine(variant, url, lambda: "/orders", pool_size=THREADS, max_overflow=0)
    with ExitStack() as stack:
        for _ in range(THREADS):
            stack.enter_context(engine.connect())
    with ThreadPoolExecutor(THREADS) as pool:
        for line in sys.stdin:
            print(seconds_per_cycle(engine, pool, int(line)), flush=True)


def seconds_per_cycle(engine: Engine, pool: ThreadPoolExecutor, threads: int) -> float:
    """How long a cycle takes while as many *threads* do the same."""
    cycles = CYCLES[threads]
    # Who passes last says when; who starts a thread would not be among the first to run.
    began: list[float] = []
    barrier = Barrier(threads, action=lambda: began.append(perf_counter()))
    batch = partial(_batch, engine, barrier, cycles)
    ends = [future.result() for future in [pool.submit(batch) for _ in range(threads)]]
    return (max(ends) - began[0]) / (cycles * threads)


def _batch(engine: Engine, barrier: Barrier, cycles: int) -> float:
    barrier.wait()
    for _ in range(cycles):
        engine.raw_connection().close()
    return perf_counter()


if __name__ == "__main__":
    main()
