"""What docs/migrations.md quotes from the drills: ``python -m tests.drills.quoted [--check]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.drills import RESULTS, latest

PAGE = RESULTS.parent / "migrations.md"
BEGIN, END = "<!-- Quoted by `make docs` from docs/results/; do not edit. -->\n", "<!-- end -->"


def main(arguments: list[str]) -> int:
    """Write the figures into the page, or with ``--check`` tell whether they differ."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    wanted = f"{before}{BEGIN}\n{quoted()}\n{END}{rest.partition(END)[2]}"
    if arguments != ["--check"]:
        PAGE.write_text(wanted)
    elif page != wanted:
        print("docs/migrations.md is out of date. Run: make docs", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def quoted() -> str:
    """The figures of the latest drills; what was not run yet says so."""
    return "\n".join((*_rehearsal(), "", "| drill | found |", "|---|---|", *_others()))


def _rehearsal() -> list[str]:
    result = latest("rehearsal")
    if result is None:
        return ["The rehearsal has not been recorded yet: `make rehearse`."]
    found = result["findings"]
    lines = [
        f"The rehearsal of {result['date'][:10]} on {result['versions']['server']}, with "
        f"{found['patients']:,} patients and load, application and database on one machine: "
        f"{found['failed']} of {found['requests']:,} requests failed, the longest took "
        f"{found['longest_seconds'] * 1000:.0f} ms where {found['limit_seconds'] * 1000:.0f} were "
        f"allowed, {sum(found['checks'].values())} of {len(found['checks'])} checks hold.",
        "",
        "| step | seconds | requests | failed | p99, ms | p99.9, ms | longest, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found["steps"]:
        times = (one["p99"], one["p999"], one["longest"])
        cells = " | ".join("–" if value is None else f"{value * 1000:.0f}" for value in times)
        lines.append(
            f"| {one['name']} | {one['seconds']:.0f} | {one['requests']:,} | {one['failed']} "
            f"| {cells} |"
        )
    return lines


def _others() -> Iterator[str]:
    if crashes := latest("crashes"):
        killed = crashes["findings"].values()
        yield (
            f"| `make drill-crashes` | {sum(one['boundaries'] for one in killed)} kills between "
            f"two statements; {sum(len(one['wrong']) for one in killed)} times another schema "
            "after the second run |"
        )
    if parallel := latest("parallel"):
        codes = parallel["findings"]["exit codes"]
        yield (
            f"| `make drill-parallel` | {len(codes)} times {len(codes[0])} containers at once; "
            f"{sum(code != 0 for one in codes for code in one)} failed, "
            f"{parallel['findings']['schemas']} schema |"
        )
    if backfill := latest("backfill"):
        fill = backfill["findings"]
        yield (
            f"| `make drill-backfill` | {int(fill['job']['finished'][2]):,} rows at "
            f"{fill['rows per second']:,} a second, killed once; {fill['job']['wrong']} wrong; "
            f"p99 of requests {fill['p99 ratio']} times what it was without |"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
