# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Changing a schema that is in use
#
# `flask db upgrade` on a server that answers all the while. What can go wrong is shown first, then what the guard
# under `migrations/` makes of it. The strategy and all figures: [docs/migrations.md](../docs/migrations.md).

# %%
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread

import matplotlib.pyplot as plt
import pymysql

from loadtest.lab.database import PrivateDatabase

root = Path.cwd() if Path("app").is_dir() else Path.cwd().parent
stack = ExitStack()
server = stack.enter_context(PrivateDatabase.running())


def flask(*command):
    """Run a command of the application's, as the account that may change the schema."""
    environment = {**os.environ, **server.environment("migrator")}
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", *command],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr).strip()


def query(statement, account="admin"):
    """All rows of a statement."""
    with server.connect(account) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


# %% [markdown]
# ## The release of before, with its data

# %%
print(flask("db", "upgrade", "0003"))
print(flask("seed", "--patients", "20000"))
query("SELECT id, phone FROM clinic.patient LIMIT 3")

# %% [markdown]
# ## What a naive change does
#
# A transaction has read the table and is idle since: somebody's notebook, a forgotten console. An `ALTER TABLE` waits
# for it, and **every read that comes later waits behind the `ALTER`**. The reads below come every 20 ms.


# %%
def reads(ended, found):
    """Read one row again and again, and note how long it took."""
    with server.connect("app") as connection, connection.cursor() as cursor:
        began = time.monotonic()
        while not ended.is_set():
            asked = time.monotonic()
            cursor.execute("SELECT name FROM clinic.patient WHERE id = 1")
            found.append((asked - began, (time.monotonic() - asked) * 1000))
            ended.wait(0.02)


def stalled(change):
    """The reads' times while *change* runs behind an idle transaction that ends after two seconds."""
    found, ended = [], Event()
    reader = Thread(target=reads, args=(ended, found))
    with server.connect("app") as idle, idle.cursor() as cursor:
        idle.begin()
        cursor.execute("SELECT COUNT(*) FROM clinic.patient")
        reader.start()
        ended.wait(0.5)
        worker = Thread(target=change)
        worker.start()
        ended.wait(2)
        idle.rollback()
        worker.join()
    ended.wait(0.5)
    ended.set()
    reader.join()
    return found


naive = stalled(lambda: query("ALTER TABLE clinic.patient ADD COLUMN scratch VARCHAR(16)"))
query("ALTER TABLE clinic.patient DROP COLUMN scratch")
print(f"the longest read took {max(ms for _, ms in naive):,.0f} ms")

# %% [markdown]
# ## The same under the guard
#
# It looks first who holds the table for long, and makes nobody wait while somebody does; its own waits last a second
# at most, and then it tries again.

# %%
said = []
guarded = stalled(lambda: said.append(flask("db", "upgrade", "0004")))
print(said[0][-300:])
print(f"the longest read took {max(ms for _, ms in guarded):,.0f} ms")

# %%
figure, axes = plt.subplots(figsize=(8, 3))
axes.plot(*zip(*naive, strict=True), color="#e02f44", label="ALTER TABLE as it comes")
axes.plot(*zip(*guarded, strict=True), color="#3274d9", label="flask db upgrade")
axes.set(
    xlabel="seconds",
    ylabel="one read, ms",
    yscale="log",
    title="A read of one row, behind an idle transaction",
)
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# ## Expand, backfill, contract
#
# `phone`, whatever people typed, becomes `phone_e164`. The new column is there now and empty; both releases work. The
# backfill fills it in small batches, and can be killed and resumed at any time.

# %%
print(flask("schema", "plan"))

# %%
print(flask("schema", "backfill", "phone_e164"))
query("SELECT id, phone, phone_e164 FROM clinic.patient LIMIT 3")

# %% [markdown]
# Only now does the contraction run. The old column becomes an archive that one more release keeps, so that the way
# back loses nothing.

# %%
print(flask("db", "upgrade")[-400:])
print(flask("db", "downgrade", "0004")[-400:])
query("SELECT id, phone, phone_e164 FROM clinic.patient LIMIT 3")

# %% [markdown]
# ## What was done is written down
#
# Each statement is noted before and after it: a run that was killed goes on where it was.

# %%
print(flask("schema", "status"))

# %% [markdown]
# ## What is refused
#
# A change that copies the table and blocks writes is refused by the server itself, as the guard tells it how the
# change must be made.

# %%
try:
    query(
        "ALTER TABLE clinic.patient MODIFY name VARCHAR(500) NOT NULL, ALGORITHM=INPLACE, LOCK=NONE",
        "migrator",
    )
except pymysql.MySQLError as error:
    print(error)

# %%
stack.close()
