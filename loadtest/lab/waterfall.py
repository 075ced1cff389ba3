"""Where requests waited: the mean time in each part, by endpoint."""

from dataclasses import dataclass

from loadtest.lab.run import Run

PARTS = ("before_app", "pool_wait", "connect", "sql", "held", "rest")
LABELS = {
    "before_app": "before the application",
    "pool_wait": "waiting for a connection",
    "connect": "connecting",
    "sql": "SQL",
    "held": "held without SQL",
    "rest": "rest",
}


@dataclass(frozen=True)
class Endpoint:
    """One URL rule: the number of its requests, and the mean seconds that each part took."""

    rule: str
    requests: float
    seconds: dict[str, float]

    @property
    def total(self) -> float:
        """The mean seconds of all parts."""
        return sum(self.seconds.values())


def waterfall(run: Run) -> list[Endpoint]:
    """Return the endpoints that were asked during the run, the one that took most time first."""
    pools = [sample.pool for sample in run.samples if sample.pool]
    if not pools:
        return []
    first, last = pools[0].parts, pools[-1].parts
    found = [_endpoint(rule, first.get(rule, {}), parts) for rule, parts in last.items()]
    asked = [endpoint for endpoint in found if endpoint.requests]
    return sorted(asked, key=lambda one: one.requests * one.total, reverse=True)


def _endpoint(rule: str, before: dict[str, float], now: dict[str, float]) -> Endpoint:
    requests = now.get("requests", 0.0) - before.get("requests", 0.0)
    seconds = {part: now.get(part, 0.0) - before.get(part, 0.0) for part in PARTS}
    share = max(1.0, requests)
    return Endpoint(rule, requests, {part: value / share for part, value in seconds.items()})
