"""Four containers run ``flask db upgrade`` at once on an empty database, twenty times."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.drills import record
from tests.migrations.migrated import DEFINITIONS, OWN
from tests.stack.stack import GRAFANA_IMAGE, Stack, has_image

CONTAINERS, ROUNDS = 4, 20
HEAD = "SELECT version_num FROM alembic_version"


def main() -> None:
    """Upgrade, compare exit codes and schemas, and record."""
    stack = Stack("poolsight-parallel", has_image(GRAFANA_IMAGE))
    findings: list[dict[str, Any]] = []
    try:
        stack.build()
        stack.compose("up", "--detach", "--wait", "mysql", timeout=300)
        version = stack.sql("SELECT VERSION()")[0][0]
        for _ in range(ROUNDS):
            findings.append(_round(stack))
            print(findings[-1]["exit codes"], findings[-1]["head"], flush=True)  # noqa: T201
    finally:
        stack.down()
    first = findings[0]["definition"]
    passed = all(
        one["exit codes"] == [0] * CONTAINERS and one["definition"] == first for one in findings
    )
    codes = [one["exit codes"] for one in findings]
    found = {"head": findings[0]["head"], "exit codes": codes,
             "schemas": len({repr(one["definition"]) for one in findings})}  # fmt: skip
    record("parallel", passed, f"MySQL {version}", found)


def _round(stack: Stack) -> dict[str, Any]:
    stack.sql("DROP DATABASE clinic")
    stack.shell("mysql", "mysql --defaults-file=/run/secrets/clinic/root.cnf --execute="
                "'CREATE DATABASE clinic COLLATE utf8mb4_unicode_520_ci'")  # fmt: skip
    with ThreadPoolExecutor(CONTAINERS) as pool:
        runs = list(pool.map(lambda _: _upgrade(stack), range(CONTAINERS)))
    rows = [
        row
        for query in DEFINITIONS
        for row in stack.sql(f"{query} WHERE table_schema = 'clinic' ORDER BY 1, 2, 3")
        if row[0] not in OWN
    ]
    return {"exit codes": runs, "definition": rows, "head": stack.sql(HEAD)}


def _upgrade(stack: Stack) -> int:
    found = stack.migrate("flask db upgrade", check=False)
    if found.returncode:
        print(found.stdout + found.stderr, flush=True)  # noqa: T201
    return found.returncode


if __name__ == "__main__":
    main()
