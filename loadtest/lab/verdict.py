"""Sentences about a run, every number in them read from its data."""

from loadtest.lab.facts import Facts, facts
from loadtest.lab.fingerprint import Seen
from loadtest.lab.results import WHOLE, StageResult
from loadtest.lab.run import Run
from loadtest.lab.waterfall import LABELS, waterfall

DASH = "–"


def milliseconds(seconds: float | None) -> str:
    """Return a duration for a person."""
    if seconds is None:
        return DASH
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def headline(run: Run) -> str:
    """Return the first sentence: can it be trusted, was the pool full, and who paid for it."""
    if run.invalid:
        return f"This run is invalid: {run.invalid}."
    found = facts(run)
    if not found.most_waiting:
        never = "never full" if found.most_in_use < found.limit else "never full for long"
        return (
            f"The pool was {never}: at most {found.most_in_use:.0f} of {found.limit:.0f} "
            "connections were in use, and no thread was seen waiting."
        )
    return (
        f"The pool was full for {found.seconds_waiting:.0f} s: up to "
        f"{_counted(found.most_waiting, 'thread')} waited for one of {found.limit:.0f} "
        f"connections, the longest seen for {milliseconds(found.longest_wait)}."
    )


def explanation(run: Run) -> list[str]:
    """Return the sentences below the headline: why, how it ended, and for whom."""
    found = facts(run)
    timeout = run.settings.get("CLINIC_POOL_TIMEOUT")
    sentences = [
        f"This run ended early: {run.ended_early}" if run.ended_early else "",
        run.slo,
        _kept(run),
        _silence(found),
        _timeouts(found, timeout),
        _recovery(run, found),
        _latency(found),
        _waited(run),
        _told(run),
        _closed(run),
    ]
    return [sentence for sentence in sentences if sentence]


def silent_alerts(run: Run) -> list[str]:
    """Return the alerts that had to fire and did not; none where nobody could be asked."""
    if run.alerts is None:
        return []
    fired = {alert.name for alert in run.alerts}
    return [name for name in run.expected_alerts if name not in fired]


def mark_line(mark: Seen) -> str:
    """Return a line of the fingerprint for a person."""
    when = "" if mark.after is None else f", after {mark.after:g} s"
    verb = "seen" if mark.seen else "not seen"
    return (
        f"{verb}: {mark.says} ({mark.series} in {mark.during}: {mark.expected}; "
        f"found {mark.found}{when})"
    )


def _kept(run: Run) -> str:
    if run.broken:
        return f"Broken: {'; '.join(run.broken)}."
    if run.broken is None or not run.bookings:
        return ""
    return (
        f"All {run.bookings:,} bookings that were answered 201 are in the database, and no slot is "
        "booked twice."
    )


def _silence(found: Facts) -> str:
    if not found.seconds_silent:
        return ""
    return f"The application's metrics did not answer for {found.seconds_silent:.0f} s."


def _timeouts(found: Facts, timeout: str | None) -> str:
    limit = f"pool_timeout ({timeout} s)" if timeout else "pool_timeout"
    if found.timeouts:
        return (
            f"{_counted(found.timeouts, 'request')} got no connection within {limit}: answered 503."
        )
    return f"Nobody waited as long as {limit}." if found.most_waiting else ""


def _recovery(run: Run, found: Facts) -> str:
    if not found.most_waiting:
        return ""
    if found.waiting_at_end:
        return f"When the recording ended, {_counted(found.waiting_at_end, 'thread')} still waited."
    if found.recovered_after is None:
        return f"The recording ended before {run.focus} did."
    after = f"{found.recovered_after:.0f} s after {run.focus} ended"
    return f"{after}, nobody waited any more."


def _latency(found: Facts) -> str:
    if len(found.stages) < 2:
        return ""
    first = found.stages[0]
    worst = max(found.stages, key=lambda one: one.result.p95 or 0.0)
    if first.result.p95 is None or worst.result.p95 is None or worst is first:
        return ""
    wait = f"; that of the wait for a connection was {milliseconds(worst.wait_p95)}"
    return (
        f"From {first.stage.name} to {worst.stage.name} the 95th percentile of the response time "
        f"went from {milliseconds(first.result.p95)} to {milliseconds(worst.result.p95)}"
        f"{'' if worst.wait_p95 is None else wait}."
    )


def _waited(run: Run) -> str:
    endpoints = waterfall(run)
    if not endpoints:
        return ""
    top = endpoints[0]
    part, seconds = max(top.seconds.items(), key=lambda item: item[1])
    return (
        f"Most time went to {top.rule}: {milliseconds(top.total)} a request, of which "
        f"{milliseconds(seconds)} {LABELS[part]}."
    )


def _told(run: Run) -> str:
    if not run.marks:
        return ""
    seen = [mark for mark in run.marks if mark.seen]
    after = [mark.after for mark in seen if mark.after is not None]
    soonest = f", the first {min(after):.0f} s after it began" if after else ""
    how_many = f"{len(seen)} of {len(run.marks)}"
    sentence = f"Of its fingerprint {how_many} marks were seen{soonest}."
    if run.alerts is None:
        return sentence
    fired = ", ".join(f"{alert.name} after {alert.after:.0f} s" for alert in run.alerts)
    silent = silent_alerts(run)
    missing = f" {', '.join(silent)} had to fire and did not." if silent else ""
    return f"{sentence} Alerts that fired: {fired or 'none'}.{missing}"


def _closed(run: Run) -> str:
    opened, closed = whole(run.results), whole(run.closed)
    if opened is None or closed is None or opened.p95 is None or closed.p95 is None:
        return ""
    return (
        f"Closed users, who wait before they ask again, would have told of a 95th percentile of "
        f"{milliseconds(closed.p95)} where it is {milliseconds(opened.p95)}: they sent "
        f"{closed.requests:,} requests instead of {opened.requests:,}."
    )


def _counted(number: float, noun: str) -> str:
    return f"{number:.0f} {noun}{'' if round(number) == 1 else 's'}"


def whole(results: list[StageResult]) -> StageResult | None:
    """Return the result of all stages together."""
    return next((result for result in results if result.name == WHOLE), None)
