# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # MySQL: schema, sample data and who may do what
#
# A private server is started for this notebook, as `make demo` does, and removed at its end. It is MySQL where
# that is installed, and MariaDB otherwise. On a VM, `vm-setup/` does the same with more care:
# [docs/vm-setup.md](../docs/vm-setup.md).

# %%
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import matplotlib.pyplot as plt
import pymysql

from loadtest.lab.database import GRANTS, PrivateDatabase

root = Path.cwd() if Path("app").is_dir() else Path.cwd().parent
stack = ExitStack()
server = stack.enter_context(PrivateDatabase.running())
server.name


# %%
def flask(*command):
    """Run a command of the application's, as the account that may change the schema."""
    environment = {**os.environ, **server.environment("migrator")}
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", *command],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def query(statement, account="admin"):
    """All rows of a statement."""
    with server.connect(account) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


# %% [markdown]
# ## The schema comes from migrations
#
# Nothing is created by hand: `flask db upgrade` goes from an empty schema to the newest revision, here and on
# every machine. [docs/schema.md](../docs/schema.md) has the tables and why they are as they are.

# %%
flask("db", "upgrade")
for (name,) in query("SHOW TABLES FROM clinic"):
    print(name)

# %% [markdown]
# A slot can be booked once, and the database itself keeps that promise: a generated column that is the slot's
# number while the appointment stands, and NULL afterwards, is unique.

# %%
print(query("SHOW CREATE TABLE clinic.appointment")[0][1])

# %% [markdown]
# ## Sample data, the same every time
#
# Names, addresses and appointments are synthetic and follow from a seed. A thousand patients are enough to look at;
# `--patients 1000000` is what queries are tried with (`make drill-million`).

# %%
print(flask("seed", "--patients", "1000"))
rows = {
    name: query(f"SELECT COUNT(*) FROM clinic.{name}")[0][0]
    for name in ("clinician", "patient", "slot", "appointment", "waitlist")
}
rows

# %%
figure, axes = plt.subplots(figsize=(7, 2.6))
axes.barh(list(rows), list(rows.values()), color="#3274d9")
axes.bar_label(axes.containers[0], fmt="{:,.0f}", padding=4)
axes.set(title="Rows of each table", xlabel="rows", xlim=(0, max(rows.values()) * 1.15))
axes.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# ## An index that serves the question
#
# The clinic's most frequent question is which slots of a specialty are free, soonest first. With the right index the
# server reads as many rows as it answers, and sorts nothing.

# %%
question = (
    "SELECT id, starts_at FROM clinic.slot WHERE specialty = 'Cardiology' AND is_free = 1 "
    "AND starts_at > NOW() ORDER BY starts_at LIMIT 20"
)


def plan(statement):
    """How the server goes about it."""
    with (
        server.connect("admin") as connection,
        connection.cursor(pymysql.cursors.DictCursor) as cursor,
    ):
        cursor.execute(f"EXPLAIN {statement}")
        found = cursor.fetchone()
    return {name: found[name] for name in ("type", "key", "rows", "Extra")}


plan(question)

# %% [markdown]
# The same without it:

# %%
plan(question.replace("clinic.slot", "clinic.slot USE INDEX ()"))

# %% [markdown]
# ## Least privilege, tried
#
# Each account may do its own work and nothing else. What is granted can be read; what is refused has to be tried.

# %%
tries = {
    "read appointments": "SELECT COUNT(*) FROM clinic.appointment",
    "add a column": "ALTER TABLE clinic.clinician ADD COLUMN x INT",
    "read passwords": "SELECT authentication_string FROM mysql.user",
    "look into the server": "SHOW ENGINE INNODB STATUS",
    "write a file": "SELECT 1 INTO OUTFILE '/tmp/x'",
}


def attempt(account, statement):
    """What came of it."""
    try:
        query(statement, account)
    except pymysql.MySQLError as error:
        return f"refused: {error.args[0]}"
    return "done"


for account in GRANTS:
    if account != "admin":
        print(account)
        for name, statement in tries.items():
            print(f"    {name:26} {attempt(account, statement)}")

# %%
if attempt("app", "SELECT x FROM clinic.clinician LIMIT 1") == "done":
    query("ALTER TABLE clinic.clinician DROP COLUMN x", "migrator")
stack.close()
