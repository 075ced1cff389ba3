"""What the pool's instrumentation costs: at most half of a bare pool's cycle, in every case."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from sqlalchemy import __version__ as sqlalchemy_version

from benchmarks.pool_overhead import ROUNDS, Cost, measure, ratios, within_limit
from tests.drills import record


def main() -> None:
    """Measure all variants in turns, and record."""
    costs = measure()
    findings = {
        "rounds": ROUNDS,
        "ratios": ratios(costs),
        "costs": {variant: _details(cases) for variant, cases in costs.items()},
        "opentelemetry": version("opentelemetry-instrumentation-sqlalchemy"),
    }
    record("overhead", within_limit(costs), f"sqlite, SQLAlchemy {sqlalchemy_version}", findings)


def _details(cases: Mapping[str, Cost]) -> dict[str, dict[str, float]]:
    return {
        case: {
            "p10": round(cost.ratio.low, 2),
            "median": round(cost.ratio.median, 2),
            "p90": round(cost.ratio.high, 2),
            "added_microseconds": round(cost.added, 2),
        }
        for case, cost in cases.items()
    }


if __name__ == "__main__":
    main()
