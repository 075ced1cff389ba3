"""The questions in PromQL that several dashboards ask."""

from __future__ import annotations

POOL = "db_client_connection_pool_name"
REPLICA = 'job=~"$job", instance=~"$instance"'
# What a dashboard's choices say about a metric, by how its name begins; nothing about others.
CHOICES = {
    ("flask_", "instance:"): REPLICA,
    ("db_client_", "sqlalchemy_pool_", "instance_pool:"): f'{REPLICA}, {POOL}=~"$pool"',
}
# Whose buckets are summed over workers by prometheus/rules/latency.yml, and over what.
SUMMED = {"db_client_": "instance_pool", "flask_": "instance"}


def chosen(metric: str, where: str = "") -> str:
    """Return the series of `metric` that `where` and the dashboard's choices select."""
    choices = [labels for names, labels in CHOICES.items() if metric.startswith(names)]
    labels = ", ".join(filter(None, [where, *choices]))
    return f"{metric}{{{labels}}}" if labels else metric


def rate(counter: str, where: str = "", by: str = "") -> str:
    """Return `counter` per second, summed over what `where` selects, or `by` each of a label."""
    over = f"sum by ({by})" if by else "sum"
    return f"{over} (rate({chosen(counter, where)}[$__rate_interval]))"


def buckets(histogram: str) -> str:
    """Return the observations of `histogram` per second, by bucket."""
    for names, level in SUMMED.items():
        if histogram.startswith(names):
            recorded = chosen(f"{level}:{histogram}_bucket:rate20s")
            return f"sum by (le) (avg_over_time({recorded}[$__interval]))"
    return rate(f"{histogram}_bucket", by="le")


def quantile(q: float, histogram: str) -> str:
    """Return the `q` quantile of `histogram`, seconds."""
    # Without a request in the interval it is NaN, which the comparison leaves out.
    return f"histogram_quantile({q}, {buckets(histogram)}) >= 0"


def quantiles(histogram: str) -> dict[str, str]:
    """Return the usual three quantiles of `histogram`, by their names."""
    return {f"p{q * 100:.0f}": quantile(q, histogram) for q in (0.5, 0.95, 0.99)}


def mean(histogram: str) -> str:
    """Return the mean of `histogram`, seconds."""
    return f"{rate(f'{histogram}_sum')} / {rate(f'{histogram}_count')}"
