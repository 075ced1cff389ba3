"""Sentences about a run, every number in them read from its data."""

from loadtest.lab.facts import Facts, StageFacts
from loadtest.lab.run import Run


def milliseconds(seconds: float | None) -> str:
    """Return a duration for a person."""
    if seconds is None:
        return "–"  # noqa: RUF001 - the typographic dash for "nothing"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def headline(found: Facts) -> str:
    """Return the first sentence: was the pool full, and who paid for it."""
    if not found.most_waiting:
        return (
            f"The pool was never full: at most {found.most_in_use:.0f} of {found.limit:.0f} "
            "connections were in use, and no thread was seen waiting."
        )
    return (
        f"The pool was full for {found.seconds_waiting:.0f} s: up to {found.most_waiting:.0f} "
        f"threads waited for one of {found.limit:.0f} connections, "
        f"the longest seen for {milliseconds(found.longest_wait)}."
    )


def explanation(run: Run, found: Facts) -> list[str]:
    """Return the sentences below the headline: why, how it ended, and for whom."""
    timeout = run.settings.get("CLINIC_POOL_TIMEOUT", "?")
    sentences = [_timeouts(found, timeout), _recovery(found), _latency(found.stages)]
    if run.ended_early:
        sentences.insert(0, f"This run ended early: {run.ended_early}")
    return [sentence for sentence in sentences if sentence]


def _timeouts(found: Facts, timeout: str) -> str:
    if found.timeouts:
        return (
            f"{found.timeouts:.0f} requests got no connection within pool_timeout ({timeout} s) "
            "and were answered 503."
        )
    return f"Nobody waited as long as pool_timeout ({timeout} s)." if found.most_waiting else ""


def _recovery(found: Facts) -> str:
    if not found.most_waiting:
        return ""
    if found.waiting_at_end:
        return f"When the recording ended, {found.waiting_at_end:.0f} threads still waited."
    if found.recovered_after is None:
        return "The recording ended before the peak did."
    return f"{found.recovered_after:.0f} s after the peak ended, nobody waited any more."


def _latency(stages: list[StageFacts]) -> str:
    if len(stages) < 2:
        return ""
    first, busiest = stages[0], max(stages, key=lambda stage: stage.users)
    if first.p95 is None or busiest.p95 is None:
        return ""
    return (
        f"From {first.users} to {busiest.users} users the 95th percentile of the response time "
        f"went from {milliseconds(first.p95)} to {milliseconds(busiest.p95)}; that of the wait "
        f"for a connection was {milliseconds(busiest.wait_p95)}."
    )
