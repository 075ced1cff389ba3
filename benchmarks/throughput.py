"""What the pool's instrumentation takes from a server that has no CPU time left.

``python -m benchmarks.throughput``. gunicorn with 4 workers of 16 threads answers with one query:
with a bare pool, with ours and with a naive one. Equal processes differ by some percent for as long
as they live, so each round starts all three anew; then they are loaded in turn, for short times in
random order. The load, the database and the server share the processors, so the CPU time of the
workers is compared as well as the throughput. Then every thread of the clinic holds a connection or
waits for one, and its metrics are asked for.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Final

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import create_engine, text

from benchmarks import scrapes
from benchmarks.cpu import busy_and_all
from benchmarks.one_query import database_url
from benchmarks.pools import BARE, NAIVE, OURS
from benchmarks.scrape import scrape, total
from benchmarks.served import THREADS, WORKERS, Answers, Served
from benchmarks.spread import Spread, interval
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.errors import LabError
from loadtest.lab.processes import Workspace

LIMIT = 0.97  # of the throughput without instrumentation
SATURATED = 0.9  # of the processors' time: nothing else was the limit
ROUNDS = 40
TURNS = 6  # of each variant in a round
SECONDS = 0.6  # a turn: what else the machine does changes slowly
VARIANTS: Final = (BARE, OURS, NAIVE)


@dataclass(frozen=True)
class Round:
    """What the variants did while they were up together.

    Attributes:
        answers: by variant.
        saturation: the share of the processors' time that was used.
        waits: for a connection, in the pool that can tell.
    """

    answers: Mapping[str, Answers]
    saturation: float
    waits: int


@dataclass(frozen=True)
class Compared:
    """A variant beside another: the medians of all pairs, with their intervals.

    Attributes:
        throughput: requests a second.
        cpu: the workers' CPU time for a request.
    """

    throughput: Spread
    cpu: Spread

    @classmethod
    def of(
        cls, variant: str, other: str, rounds: Sequence[Round], confidence: float = 0.95
    ) -> Compared:
        """Compare a variant with the *other* of the same round."""
        pairs = [(one.answers[variant], one.answers[other]) for one in rounds]
        return cls(
            throughput=interval([ours.rate / theirs.rate for ours, theirs in pairs], confidence),
            cpu=interval([ours.cpu / theirs.cpu for ours, theirs in pairs], confidence),
        )


@dataclass(frozen=True)
class Throughput:
    """What the one-query application did.

    Attributes:
        bare_rate, bare_cpu: of the bare pool, in the median: requests a second, and CPU seconds.
        ours, naive: beside the bare pool.
        naive_to_ours: the naive pool beside ours; 90 %, so that it is lower with 95 % confidence
            where the interval's end is.
        saturation: the share of the processors' time that was used, in the round with the least.
        waits: for a connection, in the pool that can tell.
    """

    rounds: int
    bare_rate: float
    bare_cpu: float
    ours: Compared
    naive: Compared
    naive_to_ours: Compared
    saturation: float
    waits: int

    @property
    def passed(self) -> bool:
        """Whether ours took little and the naive one visibly more, and no pool was the limit."""
        fair = self.saturation >= SATURATED and not self.waits
        visible = self.naive_to_ours.throughput.high < 1
        return fair and self.ours.throughput.median >= LIMIT and visible


def measure(database: PrivateDatabase, rounds: int = ROUNDS) -> Throughput:
    """Load all variants in turns, in each round anew."""
    _allow_clients(database, len(VARIANTS) * WORKERS * THREADS)
    console = Console(stderr=True)
    done = [_round(database) for _ in track(range(rounds), "Measuring", console=console)]
    return Throughput(
        rounds=rounds,
        bare_rate=median(one.answers[BARE].rate for one in done),
        bare_cpu=median(one.answers[BARE].cpu for one in done),
        ours=Compared.of(OURS, BARE, done),
        naive=Compared.of(NAIVE, BARE, done),
        naive_to_ours=Compared.of(NAIVE, OURS, done, confidence=0.9),
        saturation=min(one.saturation for one in done),
        waits=sum(one.waits for one in done),
    )


def _round(database: PrivateDatabase) -> Round:
    workspace = Workspace("poolsight-throughput-")
    try:
        served = [Served(variant, database, workspace) for variant in VARIANTS]
        for one in served:
            one.wait_until_ready()
            one.answers(SECONDS)  # opens the connections
        busy, everything = busy_and_all()
        turns = [one for one in served for _ in range(TURNS)]
        random.shuffle(turns)
        answers = dict.fromkeys(VARIANTS, Answers())
        for one in turns:
            answers[one.variant] += one.answers(SECONDS)
        busy_now, everything_now = busy_and_all()
        ours = next(one for one in served if one.variant == OURS)
        return Round(
            answers=answers,
            saturation=(busy_now - busy) / (everything_now - everything),
            waits=int(total(scrape(ours.metrics_url), "sqlalchemy_pool_queue_wait_seconds_count")),
        )
    finally:
        workspace.close()


def _allow_clients(database: PrivateDatabase, count: int) -> None:
    engine = create_engine(database_url(database.environment("admin")))
    with engine.connect() as connection:
        connection.execute(text("SET GLOBAL max_connections = :most"), {"most": count + 20})
    engine.dispose()


def table(found: Throughput) -> Table:
    """The comparison for people."""
    title = (
        f"One query with {WORKERS} workers of {THREADS} threads, as times a bare pool "
        f"({found.bare_rate:.0f} requests/s, {found.bare_cpu * 1e6:.0f} µs of CPU each)"
    )
    columns = {OURS: found.ours, NAIVE: found.naive, f"{NAIVE} / {OURS}": found.naive_to_ours}
    shown = Table("median (interval)", *columns, title=title, box=box.SIMPLE)
    shown.add_row("throughput", *(_precisely(one.throughput) for one in columns.values()))
    shown.add_row("CPU time of a request", *(_precisely(one.cpu) for one in columns.values()))
    return shown


def _precisely(spread: Spread) -> str:
    return f"{spread.median:.3f} ({spread.low:.3f}-{spread.high:.3f})"


def main() -> None:
    """Measure, print, and check where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.add_argument("--check", action="store_true", help="fail when a limit is broken")
    arguments = parser.parse_args()
    try:
        with PrivateDatabase.running() as database:
            found, asked = measure(database, arguments.rounds), scrapes.measure(database)
    except LabError as error:
        sys.exit(str(error))
    if arguments.json:
        print(json.dumps({"throughput": asdict(found), "scrapes": asdict(asked)}))
    else:
        console = Console()
        console.print(table(found))
        console.print(
            f"{found.rounds} rounds; {found.saturation:.0%} of the processors' time was used; "
            f"{found.waits} waits for a connection.\n"
            f"{asked}"
        )
    if arguments.check and not (found.passed and asked.passed):
        sys.exit("A limit is broken.")


if __name__ == "__main__":
    main()
