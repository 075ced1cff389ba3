"""The service level objective of a profile, and what breaks it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Slo:
    """The most that a run accepts: a ratio (0 to 1) of failed requests, and a p95 in ms.

    It is aborted once that was missed for ``abort_after`` seconds; 0: never.
    """

    max_fail_ratio: float
    p95_ms: float
    abort_after: float = 0.0


@dataclass(frozen=True)
class Result:
    """What a run measured over all its requests; ``p95_ms`` is 0 when there were none."""

    requests: int
    fail_ratio: float
    p95_ms: float


def breaches(slo: Slo, result: Result) -> list[str]:
    """Return one sentence for each objective that was missed: what was expected and found."""
    if not result.requests:
        return ["expected at least one request, found none"]
    found = []
    if result.fail_ratio > slo.max_fail_ratio:
        found.append(
            f"expected at most {slo.max_fail_ratio:.2%} failed requests, "
            f"found {result.fail_ratio:.2%} of {result.requests}"
        )
    if result.p95_ms > slo.p95_ms:
        found.append(f"expected a p95 of at most {slo.p95_ms:g} ms, found {result.p95_ms:g} ms")
    return found


def verdict(slo: Slo, result: Result, missed: list[str]) -> str:
    """Return the lines that end a run."""
    if missed:
        return "".join(f"SLO missed: {sentence}.\n" for sentence in missed)
    return (
        f"SLO met: {result.fail_ratio:.2%} of {result.requests} requests failed "
        f"(at most {slo.max_fail_ratio:.2%}), p95 {result.p95_ms:g} ms "
        f"(at most {slo.p95_ms:g} ms).\n"
    )
