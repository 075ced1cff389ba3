"""What pages quote from the drills: ``python -m tests.drills.quoted [--check]``.

A page has ``<!-- quoted: NAME, by make docs; do not edit -->`` before and ``<!-- end -->`` after
what is written here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from tests.drills import RESULTS, latest

DOCS = RESULTS.parent
PAGES = (
    DOCS / "migrations.md",
    DOCS / "findings.md",
    DOCS / "scale.md",
    DOCS.parent / "README.md",
)
BLOCK = re.compile(
    r"(<!-- quoted: (\S+), by make docs; do not edit -->\n).*?(<!-- end -->)", re.DOTALL
)


def main(arguments: list[str]) -> int:
    """Write the figures into the pages, or with ``--check`` tell which differ."""
    stale = 0
    for path in PAGES:
        page = path.read_text()
        wanted = BLOCK.sub(lambda block: f"{block[1]}\n{quoted(block[2])}\n{block[3]}", page)
        if arguments != ["--check"]:
            path.write_text(wanted)
        elif page != wanted:
            stale = 1
            print(f"{path.name} is out of date. Run: make docs", file=sys.stderr)  # noqa: T201
    return stale


def quoted(name: str) -> str:
    """The text of a block, from the latest results."""
    kind, _, which = name.partition(":")
    return "\n".join(QUOTES[kind](*([which] if which else [])))


def _migrations() -> Iterator[str]:
    yield from _rehearsal()
    yield from ("", "| drill | found |", "|---|---|", *_others())


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


def _swarm() -> Iterator[str]:
    """What three nodes did under load, and how throughput grew."""
    result = latest("swarm")
    if result is None:
        yield "Not recorded yet: `make drill-swarm`."
        return
    found = result["findings"]
    yield (
        f"`make drill-swarm` of {result['date'][:10]}, {result['versions']['server']}: three "
        "nodes, source, replica and balancer as containers of one machine with two processors, so "
        "that its times are not those of three machines. "
        f"{_held(found['checks'])}. "
        f"{sum(one['failed'] for one in found['steps'])} of {found['requests']:,} requests failed"
        + (
            f", {found['failed by the lost node']} of them by the lost node, the last "
            f"{found['last failure after, s']:.0f} s after its end"
            if found["failed by the lost node"]
            else ""
        )
        + "; the lost node's replicas were back on other nodes after "
        f"{found['replicas back after, s']:.0f} s. Bookings lost: "
        f"{len(found['bookings lost'])}."
    )
    yield ""
    yield "| step | seconds | requests | failed | p50, ms | p99, ms |"
    yield "|---|---|---|---|---|---|"
    for one in found["steps"]:
        yield (
            f"| {one['name']} | {one['seconds']:.0f} | {one['requests']:,} | {one['failed']} "
            f"| {one['p50'] * 1000:.0f} | {one['p99'] * 1000:.0f} |"
        )
    yield ""
    yield (
        "Requests that hold a connection for a second each, sent from three nodes; a replica may "
        f"open 12. It ends by {found['throughput']['ended by']}; of one replica more `deploy.sh` "
        "says: "
        f"*{'; '.join(' '.join(line.split()) for line in found['throughput']['said'][:3])}*"
    )
    yield ""
    yield "| replicas | good answers a second | processors idle |"
    yield "|---|---|---|"
    for one in found["throughput"]["rounds"]:
        yield (
            f"| {one['replicas']} | {one['requests a second']:.0f} | {one['idle'] * 100:.0f} % |"
        )


def _newcomer() -> Iterator[str]:
    """How long a newcomer takes."""
    result = latest("newcomer")
    if result is None:
        yield "Not timed yet: `make drill-newcomer`."
        return
    seconds = result["findings"]["seconds"]
    without = "" if result["findings"]["with Grafana"] else ", Grafana left out"
    yield (
        f"Timed from a clone on {result['date'][:10]}, two processors, base images at hand: a "
        f"report after {seconds['a report']} s; the stack{without}, built and healthy, after "
        f"{seconds['the dashboards']} s; a migration of one's own, written and applied, after "
        f"{seconds['a migration']} s. `make drill-newcomer` times it again."
    )


def _held(checks: dict[str, bool]) -> str:
    """How many checks held, and which did not."""
    missed = [name for name, held in checks.items() if not held]
    return f"{len(checks) - len(missed)} of {len(checks)} checks held" + (
        f"; not these: {', '.join(missed)}" if missed else ""
    )


def _scenario(name: str) -> Iterator[str]:
    """One scenario: what was answered, what the pool did, and when each mark was seen."""
    runs = _found("scenarios", name)
    if not runs:
        yield "Not recorded yet: `make findings`."
        return
    heads = ("good answers", "failed", "p50", "p95", "slowest", "in use, most", "waiting, most")
    yield f"| {' | '.join(heads)} | longest wait |"
    yield "|---|---|---|---|---|---|---|---|"
    yield (
        f"| {_spread(runs, 'good per second')} a second | {_spread(runs, 'failed share', 100)} % "
        f"| {_ms(runs, 'p50')} | {_ms(runs, 'p95')} | {_ms(runs, 'longest')} "
        f"| {_spread(runs, 'in use')} of {_spread(runs, 'limit')} | {_spread(runs, 'waiting')} "
        f"| {_ms(runs, 'longest wait')} |"
    )
    yield ""
    seen = [f"{says} ({after:.0f} s)" for says, after in runs[-1]["seen"].items() if after]
    seen += [says for says, after in runs[-1]["seen"].items() if not after]
    yield f"Seen on the metrics, after so many seconds: {'; '.join(seen)}."
    yield ""
    shown = "requests, connections, threads that wait, response time"
    yield f"![{name}: {shown}](images/findings/{name}.svg)"


def _spikes() -> Iterator[str]:
    """The spike with other settings."""
    heads = ("size + overflow of each worker", "good a second", "failed", "p50", "p95")
    yield f"| {' | '.join(heads)} | waiting, most | timed out |"
    yield "|---|---|---|---|---|---|---|"
    for name in _runs()[-1]["spikes"] if _runs() else ():
        runs = _found("spikes", name)
        yield (
            f"| {name} | {_spread(runs, 'good per second')} "
            f"| {_spread(runs, 'failed share', 100)} % | {_ms(runs, 'p50')} | {_ms(runs, 'p95')} "
            f"| {_spread(runs, 'waiting')} | {_spread(runs, 'timeouts')} |"
        )


def _closed() -> Iterator[str]:
    """What closed users would have told of the stall."""
    if runs := _found("scenarios", "stall"):
        yield "| | p95 | slowest |"
        yield "|---|---|---|"
        yield f"| open arrivals | {_ms(runs, 'p95')} | {_ms(runs, 'longest')} |"
        yield f"| closed users | {_ms(runs, 'closed p95')} | {_ms(runs, 'closed longest')} |"


def _summary() -> Iterator[str]:
    """All scenarios in a table."""
    result = latest("findings")
    runs = _runs()
    if not result or not runs:
        yield "Not recorded yet: `make findings`."
        return
    yield "| scenario | good a second | failed | p95 | in use, most | waiting, most |"
    yield "|---|---|---|---|---|---|"
    for name in runs[-1]["scenarios"]:
        found = _found("scenarios", name)
        yield (
            f"| [{name}](docs/findings.md#{name}) | {_spread(found, 'good per second')} "
            f"| {_spread(found, 'failed share', 100)} % | {_ms(found, 'p95')} "
            f"| {_spread(found, 'in use')} of {_spread(found, 'limit')} "
            f"| {_spread(found, 'waiting')} |"
        )


def _when() -> Iterator[str]:
    """When and on what the findings were made, and what a further run may find."""
    if result := latest("findings"):
        found = result["findings"]
        yield (
            f"Found on {result['date'][:10]} on {result['versions']['server']}, in "
            f"{found['minutes']:.0f} minutes, on a machine that the load shares with "
            "application and database. Figures are medians of the last runs, "
            f"{len(found['runs'])} of a scenario that has not changed since, and their range where "
            "it differs. Of good answers, p50, p95 and the slowest, a further run may lie beyond "
            "that range by half: from two thirds of the least to one and a half times the most. Of "
            f"the last run's {found['compared']} figures that two runs before it had found, "
            f"{found['compared'] - len(found['outside'])} kept within that"
            + (f"; these did not: {'; '.join(found['outside'])}." if found["outside"] else ".")
        )


def _runs() -> list[dict[str, Any]]:
    result = latest("findings")
    return result["findings"]["runs"] if result else []


def _found(part: str, name: str) -> list[dict[str, Any]]:
    """What was found in a scenario, or in a spike with other settings, oldest first."""
    return [run[part][name] for run in _runs() if name in run[part]]


def _ms(runs: list[dict[str, Any]], name: str) -> str:
    return f"{_spread(runs, name, 1000)} ms"


def _spread(runs: list[dict[str, Any]], name: str, factor: float = 1) -> str:
    """The median of a figure, and its range where it is one."""
    values = [one[name] * factor for one in runs if one[name] is not None]
    if not values:
        return "–"
    middle, least, most = (f"{value:,.0f}" for value in (median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least}–{most})"


QUOTES: dict[str, Callable[..., Iterator[str]]] = {
    "migrations": _migrations,
    "swarm": _swarm,
    "newcomer": _newcomer,
    "scenario": _scenario,
    "spikes": _spikes,
    "closed": _closed,
    "summary": _summary,
    "when": _when,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
