# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # The connection pool: what it does under load
#
# Threads ask a real server for work through SQLAlchemy's pool. The pool is [app/pool](../app/pool/__init__.py)'s, a
# `QueuePool` that can be seen; all figures below come from the metrics that Prometheus would scrape.

# %%
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from threading import Event, Thread

import matplotlib.pyplot as plt
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine, exc, text

from app.pool import PoolCollector, measured_pool
from loadtest.lab.database import PrivateDatabase
from tests.errors import password

stack = ExitStack()
server = stack.enter_context(PrivateDatabase.running())
registry = CollectorRegistry()
registry.register(PoolCollector())
numbers = count(1)


@contextmanager
def pool(**options):
    """An engine with a pool of its own, and its name in the metrics."""
    name = f"notebook-{next(numbers)}"
    address = f"mysql+pymysql://app:{password(server)}@{server.host}:{server.port}/clinic"
    engine = create_engine(address, poolclass=measured_pool(name), **options)
    try:
        yield engine, name
    finally:
        engine.dispose()


def scrape(name):
    """The samples of this pool, all of one moment."""
    found = [sample for family in registry.collect() for sample in family.samples]
    return [one for one in found if one.labels.get("db_client_connection_pool_name") == name]


def value(metric, samples, **labels):
    """The sum of a metric's samples with these labels."""
    found = [one for one in samples if one.name == metric and labels.items() <= one.labels.items()]
    return sum(one.value for one in found)


# %% [markdown]
# ## A spike, looked at
#
# Twelve threads want a connection for 50 ms each, again and again, from a pool of four with an overflow of two. Six
# work and six wait. What is open beyond four is closed as soon as it comes back; that is what overflow means.


# %%
def hold(engine, seconds):
    """Use a connection for so long."""
    with engine.connect() as connection:
        connection.execute(text("SELECT SLEEP(:seconds)"), {"seconds": seconds})


def watch(name, ended, found):
    """Note what the pool is doing, forty times a second."""
    began = time.monotonic()
    while not ended.wait(0.025):
        now = scrape(name)
        found.append(
            (
                time.monotonic() - began,
                value("db_client_connection_count", now, db_client_connection_state="used"),
                value("db_client_connection_count", now, db_client_connection_state="idle"),
                value("sqlalchemy_pool_overflow", now),
                value("db_client_connection_pending_requests", now),
            )
        )


seen, ended = [], Event()
with pool(pool_size=4, max_overflow=2, pool_timeout=5) as (engine, name):
    watcher = Thread(target=watch, args=(name, ended, seen))
    watcher.start()
    with ThreadPoolExecutor(12) as threads:
        for busy in (2, 12, 2):
            list(threads.map(lambda _: hold(engine, 0.05), range(busy * 20)))
            hold(engine, 0.2)
    ended.set()
    watcher.join()

# %%
times, used, idle, overflow, waiting = zip(*seen, strict=True)
figure, (above, below) = plt.subplots(2, 1, figsize=(8, 4.5), sharex=True)
above.stackplot(
    times, used, idle, labels=["used", "idle"], colors=["#3274d9", "#c7d8f2"], step="post"
)
above.axhline(4, color="#555", linestyle=":", label="pool_size")
above.axhline(6, color="#c4162a", linestyle="--", label="limit")
above.set(ylabel="connections", ylim=(0, 7))
above.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, frameon=False)
below.step(times, waiting, where="post", color="#e02f44", label="threads that wait")
below.step(times, overflow, where="post", color="#ff9830", label="overflow")
below.set(ylabel="number", xlabel="seconds")
below.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
print(
    f"at most {max(used):.0f} used, {max(overflow):.0f} beyond pool_size, {max(waiting):.0f} waiting"
)

# %% [markdown]
# SQLAlchemy's own `overflow` in `pool.status()` starts at `-pool_size` and counts up; the metric here is what people
# mean by the word: connections open beyond `pool_size`.
#
# ## More connections are not more work
#
# Sixteen threads with the same work, and pools of different sizes, each three times in turn. The work is real: the
# server computes. It has as many processors as it has, and beyond them a larger pool moves the queue from where it
# can be seen into the server.


# %%
def compute(engine, times_):
    """Keep a processor of the server's busy, and note how long it took with its wait."""
    began = time.monotonic()
    with engine.connect() as connection:
        connection.execute(text("SELECT BENCHMARK(300000, SHA2('x', 256))"))
    times_.append(time.monotonic() - began)


found = {size: [] for size in (1, 2, 4, 8, 16)}
for _ in range(3):
    for size, rates in found.items():
        with pool(pool_size=size, max_overflow=0, pool_timeout=30) as (engine, name):
            times_ = []
            with ThreadPoolExecutor(16) as threads:
                began = time.monotonic()
                list(threads.map(lambda _, e=engine, t=times_: compute(e, t), range(48)))
                took = time.monotonic() - began
            waits = value("db_client_connection_wait_time_seconds_sum", scrape(name)) / 48
            rates.append((48 / took, waits, statistics.mean(times_) - waits))
for size, rates in found.items():
    rate, wait, work = (statistics.median(column) for column in zip(*rates, strict=True))
    print(
        f"size {size:2}: {rate:5.1f} a second, {wait * 1000:4.0f} ms waiting, {work * 1000:4.0f} ms in the server"
    )

# %%
sizes = list(found)
medians = [
    [statistics.median(column) for column in zip(*found[size], strict=True)] for size in sizes
]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
left.plot(sizes, [one[0] for one in medians], marker="o", color="#3274d9")
left.set(
    title="Throughput",
    xlabel="pool_size",
    ylabel="statements per second",
    ylim=(0, None),
    xscale="log",
    xticks=sizes,
    xticklabels=sizes,
)
right.stackplot(
    sizes,
    [one[1] * 1000 for one in medians],
    [one[2] * 1000 for one in medians],
    labels=["waiting for a connection", "in the server"],
    colors=["#e02f44", "#3274d9"],
)
right.set(
    title="Where the time goes",
    xlabel="pool_size",
    ylabel="ms per request",
    xscale="log",
    xticks=sizes,
    xticklabels=sizes,
)
right.legend(loc="lower right")
figure.tight_layout()

# %% [markdown]
# The sum on the right hardly changes: who does not wait in the pool waits in the server. A pool a little larger than
# what the server can do at once is enough; `python -m loadtest sweep` finds it for real traffic.
#
# ## A fast no
#
# When the pool is exhausted, `pool_timeout` decides who hears of it. With 30 s, SQLAlchemy's default, everybody
# waits; with a tenth of a second, those for whom there is no room are told so, and the others are served in time.


# %%
def patience(seconds):
    """Forty requests at once on a pool of two: how many were served, how many refused, and after how long?"""
    served, refused = [], []

    def ask(_):
        began = time.monotonic()
        try:
            hold(engine, 0.05)
            served.append(time.monotonic() - began)
        except exc.TimeoutError:
            refused.append(time.monotonic() - began)

    with (
        pool(pool_size=2, max_overflow=0, pool_timeout=seconds) as (engine, name),
        ThreadPoolExecutor(40) as threads,
    ):
        list(threads.map(ask, range(40)))
        timeouts = value("db_client_connection_timeouts_total", scrape(name))
    assert timeouts == len(refused)
    return f"pool_timeout {seconds:>4}: {len(served):2} served, the slowest after {max(served):.2f} s; {len(refused):2} refused"


for seconds in (30, 0.5, 0.1):
    print(patience(seconds))

# %% [markdown]
# ## After a lost connection
#
# The server ends a connection that lies in the pool. With `pool_pre_ping` the pool asks before it hands it out, and
# nobody notices; without, the next request gets error 2013. See [docs/errors.md](../docs/errors.md#lost-connection).


# %%
def after_a_kill(**options):
    """What the next request sees, and why the pool's connections ended."""
    with pool(pool_size=1, max_overflow=0, **options) as (engine, name):
        with engine.connect() as connection:
            mine = connection.scalar(text("SELECT CONNECTION_ID()"))
        with server.connect("admin") as admin, admin.cursor() as cursor:
            cursor.execute(f"KILL {mine}")
            while cursor.execute(f"SELECT 1 FROM information_schema.processlist WHERE id = {mine}"):
                pass
        try:
            hold(engine, 0)
            outcome = "served"
        except exc.OperationalError as error:
            outcome = f"error {error.orig.args[0]}"
        ends = {
            sample.labels["reason"]: sample.value
            for family in registry.collect()
            for sample in family.samples
            if sample.name == "sqlalchemy_pool_closes_total"
            and sample.value
            and sample.labels["db_client_connection_pool_name"] == name
        }
    return outcome, ends


print("without pre_ping:", *after_a_kill())
print("with pre_ping:   ", *after_a_kill(pool_pre_ping=True))

# %%
stack.close()
