"""An advice as lines for a person."""

from collections.abc import Iterator

from loadtest.lab.advise import Advice, Row, ladder
from loadtest.lab.verdict import milliseconds


def lines(advice: Advice, deadline: float) -> Iterator[str]:
    """Yield the advice: the verdict, why, what was tried, what formulas say, and the rest."""
    yield ""
    if advice.problem:
        yield f"No recommendation: {advice.problem}."
    elif advice.setting:
        for name, value in advice.setting.environment.items():
            yield f"{name}={value}"
    yield from advice.reasons
    if advice.rows:
        yield from ("", "connections  good/s (interval)        p95 of the wait      setting")
        yield from (_row(row) for row in advice.rows)
    yield from ("", "What formulas say, for all workers together:")
    yield from _predictions(advice)
    if advice.setting:
        limit = advice.setting.limit
        yield from ("", "Timeouts, from the inside out:")
        for name, value in ladder(advice.setting, advice.hold, deadline):
            yield f"  {name}: {value}"
        yield from ("", "Budget:")
        yield (
            f"  {limit} connections for each replica; twice that while one is being replaced: "
            f"{2 * limit}, against the server's max_connections less a reserve."
        )
    yield from (f"  {finding}" for finding in advice.findings)


def _row(row: Row) -> str:
    good = f"{row.goodput.value:.1f} ({row.goodput.low:.1f} to {row.goodput.high:.1f})"
    wait = "-"
    if row.wait_p95:
        low, high = milliseconds(row.wait_p95.low), milliseconds(row.wait_p95.high)
        wait = f"{milliseconds(row.wait_p95.value)} ({low} to {high})"
    mark = "" if row.meets else "  too long"
    return f"{row.setting.limit:11}  {good:<24}  {wait:<22}  {row.setting}{mark}"


def _predictions(advice: Advice) -> Iterator[str]:
    for one in advice.predictions:
        if one.connections is None:
            yield f"  {one.name:<18} {one.problem}"
            continue
        error = one.error(advice.measured) if advice.measured else None
        off = f", {error:+.0%} beside what was measured" if error is not None else ""
        yield f"  {one.name:<18} {one.connections:4}{off}  ({one.domain})"
