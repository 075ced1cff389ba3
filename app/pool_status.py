"""What the pools of a fleet do now: asked at its metrics ports, drawn for the terminal."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from math import inf

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.addresses import host_and_port

TIMEOUT = 2.0  # seconds
MOST_HOLDERS = 10
HELD = "sqlalchemy_pool_held"
# As on the dashboards and in the reports.
BLUE, LIGHT_BLUE, ORANGE, RED, DARK_RED = "#5794f2", "#8ab8ff", "#ff9830", "#f2495c", "#e0536a"

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True)
class Column:
    """One measured thing: its heading, its series, its colour, and how workers are added up.

    Where workers reach their values at different times, the total is ``at_most`` the sum.
    """

    heading: str
    metric: str
    colour: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    total: Callable[[Iterable[float]], float] = sum
    write: Callable[[float], str] = "{:.0f}".format
    at_most: bool = False


def _seconds(value: float) -> str:
    return f"{value:.2f}" if 0 < value < 10 else f"{value:.0f}"


def _limit(value: float) -> str:
    return "∞" if value == inf else f"{value:.0f}"


def _longest(values: Iterable[float]) -> float:
    return max(values, default=0.0)


def _state(name: str) -> tuple[tuple[str, str], ...]:
    return (("db_client_connection_state", name),)


USED = Column("used", "db_client_connection_count", BLUE, _state("used"))
LIMIT = Column("limit", "db_client_connection_max", write=_limit)
WAITING = Column("waiting", "db_client_connection_pending_requests", RED)
OLDEST_WAIT = Column(
    "oldest\nwait\n(s)", "sqlalchemy_pool_oldest_wait_seconds", RED, total=_longest, write=_seconds
)
COLUMNS = (
    USED,
    Column("idle", "db_client_connection_count", LIGHT_BLUE, _state("idle")),
    Column("overflow", "sqlalchemy_pool_overflow", ORANGE),
    LIMIT,
    WAITING,
    OLDEST_WAIT,
    Column("peak\nused\n15 s", "sqlalchemy_pool_used_peak", BLUE, at_most=True),
    Column("timeouts", "db_client_connection_timeouts_total", DARK_RED),
    Column(
        "oldest\nlease\n(s)", "sqlalchemy_pool_oldest_lease_seconds", total=_longest, write=_seconds
    ),
    Column("suspected\nleaks", "sqlalchemy_pool_leaks_suspected", RED),
)

Values = dict[Column, float]


@dataclass(frozen=True)
class Replica:
    """What one metrics port answered: its workers and holders, or why there are none."""

    address: str
    workers: dict[str, Values] = field(default_factory=dict)
    holders: Counter[str] = field(default_factory=Counter)
    problem: str = ""


@dataclass(frozen=True)
class Fleet:
    """All replicas that were asked."""

    replicas: list[Replica]

    @property
    def rows(self) -> list[tuple[str, str, Values]]:
        """Replica, worker and values, of all that answered."""
        return [
            (replica.address, name, values)
            for replica in self.replicas
            for name, values in replica.workers.items()
        ]

    @property
    def total(self) -> Values:
        """All workers together."""
        return {each: each.total(values[each] for *_, values in self.rows) for each in COLUMNS}

    @property
    def holders(self) -> list[tuple[str, int]]:
        """Who holds connections now, and how many; the most first."""
        return sum((replica.holders for replica in self.replicas), Counter[str]()).most_common()

    @property
    def problems(self) -> list[str]:
        """Who did not answer, and why."""
        return [f"{r.address} {r.problem}" for r in self.replicas if r.problem]


def ask(targets: Iterable[str]) -> Fleet:
    """Ask every address of the metrics ports *targets*, each ``HOST:PORT``, at the same time."""
    found: dict[str, Replica | None] = {}
    for target in targets:
        found |= _addresses(target)
    with ThreadPoolExecutor(32) as pool:
        answers = pool.map(lambda address: found[address] or _ask(address), found)
        return Fleet(list(answers))


def _addresses(target: str) -> dict[str, Replica | None]:
    name, port = host_and_port(target)
    name = _LOOPBACK.get(name, name)
    try:
        known = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return {target: Replica(target, problem=f"is not found ({error.strerror})")}
    # An IPv6 address beside IPv4 ones is most likely another way to the same replica.
    families = {family for family, *_ in known}
    family = socket.AF_INET if socket.AF_INET in families else socket.AF_INET6
    hosts = sorted(str(address[0]) for kind, *_, address in known if kind == family)
    return {f"[{host}]:{port}" if ":" in host else f"{host}:{port}": None for host in hosts}


def _ask(address: str) -> Replica:
    try:
        return _replica(address, _scrape(*host_and_port(address)))
    except OSError as error:
        return Replica(address, problem=f"does not answer ({error.strerror or error})")
    except (KeyError, ValueError, HTTPException):
        return Replica(address, problem="answers, but not with pool metrics")


def _scrape(host: str, port: int) -> list[Sample]:
    # Not urllib, which would ask a proxy from the environment.
    connection = HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return [s for family in text_string_to_metric_families(text) for s in family.samples]


def _replica(address: str, samples: list[Sample]) -> Replica:
    names = sorted({s.labels["worker"] for s in samples if s.name == LIMIT.metric}, key=int)
    if not names:
        raise ValueError("no pool")
    holders = Counter[str]()
    for sample in samples:
        if sample.name == HELD and sample.value:
            holders[sample.labels["holder"]] += int(sample.value)
    return Replica(address, {name: _values(samples, name) for name in names}, holders)


def _values(samples: list[Sample], worker: str) -> Values:
    def of(column: Column) -> Iterator[float]:
        wanted = {"worker": worker, **dict(column.labels)}
        for sample in samples:
            if sample.name == column.metric and wanted.items() <= sample.labels.items():
                yield sample.value

    return {column: column.total(of(column)) for column in COLUMNS}


def screen(fleet: Fleet) -> RenderableType:
    """Everything at a glance: a sentence, the workers, who holds connections, who is missing."""
    missing = [Text(problem, style=RED) for problem in fleet.problems]
    return Group(_headline(fleet.total), *missing, "", _workers(fleet), "", _holders(fleet))


def _headline(total: Values) -> Text:
    headline = Text(f"{total[USED]:.0f} of {_limit(total[LIMIT])} connections used", f"bold {BLUE}")
    waiting = total[WAITING]
    if not waiting:
        return headline.append(", nobody waits", "dim")
    many = f", {waiting:.0f} {'thread waits' if waiting == 1 else 'threads wait'}"
    return headline.append(f"{many}, for up to {_seconds(total[OLDEST_WAIT])} s", f"bold {RED}")


def _workers(fleet: Fleet) -> Table:
    several = len(fleet.replicas) > 1
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("replica", "worker") if several else ("worker",):
        table.add_column(heading, no_wrap=True)
    for column in COLUMNS:
        table.add_column(column.heading, justify="right", min_width=4, overflow="fold")
    for address, name, values in fleet.rows:
        table.add_row(*([address] if several else []), name, *_cells(values))
    table.add_row(*(["all", ""] if several else ["all"]), *_cells(fleet.total, len(fleet.rows)))
    return table


def _cells(values: Values, workers: int = 1) -> Iterator[Text]:
    for column in COLUMNS:
        value = values[column]
        mark = "≤ " if column.at_most and value and workers > 1 else ""
        yield Text(mark + column.write(value), column.colour if value else "dim")


def _holders(fleet: Fleet) -> RenderableType:
    if not fleet.holders:
        return Text("Nobody holds a connection now.", style="dim")
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("connections", justify="right")
    table.add_column("held now by")
    for name, count in fleet.holders[:MOST_HOLDERS]:
        table.add_row(Text(str(count), BLUE), Text(name))
    if more := fleet.holders[MOST_HOLDERS:]:
        table.add_row(str(sum(count for _, count in more)), f"{len(more)} others")
    return table
