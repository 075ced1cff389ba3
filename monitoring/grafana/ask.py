"""The questions in PromQL that several dashboards ask."""

from __future__ import annotations

from monitoring.grafana.frame import AT


def rate(counter: str, labels: str = AT, by: str = "") -> str:
    """Return `counter` per second, summed over what `labels` select, or `by` each of a label."""
    over = f"sum by ({by})" if by else "sum"
    return f"{over} (rate({counter}{{{labels}}}[$__rate_interval]))"


def quantile(q: float, histogram: str, labels: str = AT) -> str:
    """Return the `q` quantile of `histogram` over what `labels` select, seconds."""
    buckets = f"sum by (le) (rate({histogram}_bucket{{{labels}}}[$__rate_interval]))"
    # Without a request in the interval it is NaN, which the comparison leaves out.
    return f"histogram_quantile({q}, {buckets}) >= 0"


def quantiles(histogram: str, labels: str = AT) -> dict[str, str]:
    """Return the usual three quantiles of `histogram`, by their names."""
    return {f"p{q * 100:.0f}": quantile(q, histogram, labels) for q in (0.5, 0.95, 0.99)}
