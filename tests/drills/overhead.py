"""What the pool's instrumentation costs: at most half of a bare pool's cycle, in every case."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import __version__ as sqlalchemy_version

from benchmarks.pool_overhead import ROUNDS, Costs, measure, ratios, within_limit
from tests.drills import record


def main() -> None:
    """Measure all variants in turns, and record."""
    costs = measure()
    findings = {"rounds": ROUNDS, "ratios": ratios(costs), "costs": _details(costs)}
    record("overhead", within_limit(costs), f"sqlite, SQLAlchemy {sqlalchemy_version}", findings)


def _details(costs: Costs) -> dict[str, dict[str, object]]:
    return {
        variant: {case: asdict(cost) for case, cost in cases.items()}
        for variant, cases in costs.items()
    }


if __name__ == "__main__":
    main()
