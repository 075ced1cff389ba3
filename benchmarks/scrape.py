"""What a metrics port answers."""

from __future__ import annotations

from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families


def scrape(url: str) -> str:
    """The answer."""
    with urlopen(url, timeout=5) as answer:  # noqa: S310 - a URL of our own
        return str(answer.read().decode())


def total(text: str, metric: str, **labels: str) -> float:
    """The sum of all samples of *metric* in an answer that have *labels*."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == metric and labels.items() <= sample.labels.items()
    )
