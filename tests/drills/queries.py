"""How long Prometheus takes over the dashboards' queries when it has a day of data.

What the stack's series are after a spike with four workers is continued over 24 hours, a sample
every 5 seconds, in blocks that promtool makes. A Prometheus of the stack's image and memory that
has only these is then asked what each panel asks when it shows the whole day on a laptop, and the
last quarter of an hour: one query after the other, each several times.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.drills import record
from tests.stack.stack import ROOT, Stack, docker, free_ports
from tests.waiting import eventually

WORKERS = 4
HOURS = 24
SCRAPE: Final = 5  # seconds
BLOCK: Final = 7200  # seconds
SOAK: Final = 7200  # seconds: the longest profile of the load
COLUMN = 60  # pixels, and as many points: a 24th of a laptop's screen
SPANS: Final = {"24h": HOURS * 3600, "15m": 900}
ASKED = 5  # times each; the median counts
MOST_QUERIES = 40
LIMIT = 100.0  # milliseconds
USER = f"{os.getuid()}:{os.getgid()}"  # whose the made files are
DASHBOARDS = sorted((ROOT / "monitoring/grafana/dashboards").glob("*.json"))
COUNTER = re.compile(
    r"(?!db_client_connection_count).*_(total|count|sum|bucket)"
    r"|mysql_global_status_(?!threads_|uptime|.*current_waits).*"
)
# Without an answer at rest, when nothing fails and no connection is held or opened.
QUIET = {
    "What fails?", "Who holds connections now?", "How long does a connection take to open?",
}  # fmt: skip


@dataclass(frozen=True)
class Query:
    """What a panel asks; `points` is how many it has room for."""

    dashboard: str
    panel: str
    expression: str
    points: int
    instant: bool

    def path(self, end: int, span: int) -> str:
        """Return where Grafana asks Prometheus for it, over `span` seconds until `end`."""
        step = max(SCRAPE, math.ceil(span / self.points))
        values = {
            "$job": ".+", "$instance": ".+", "$pool": ".+",
            "$__rate_interval": f"{max(step + SCRAPE, 4 * SCRAPE)}s",
            "$__interval": f"{step}s", "$__range": f"{span}s",
        }  # fmt: skip
        expression = self.expression
        for name, value in values.items():
            expression = expression.replace(name, value)
        assert "$" not in re.sub(r'"[^"]*"', "", expression)
        if self.instant:
            what, when = "query", {"time": end}
        else:
            what, when = "query_range", {"start": end - span, "end": end, "step": step}
        return f"/api/v1/{what}?" + urllib.parse.urlencode({"query": expression, **when})


def main() -> None:
    """Take the series from the stack, make the day, ask, compare, record."""
    stack = Stack("poolsight-queries", grafana=False, settings={"CLINIC_WORKERS": str(WORKERS)})
    try:
        stack.build()
        stack.up()
        stack.compose("run", "--rm", "--no-TTY", "loadtest", "spike", check=False, timeout=180)
        series = stack.prometheus('last_over_time({__name__!=""}[5m])')
        image, memory = _prometheus(stack)
    finally:
        stack.down()
    end = int(time.time()) // BLOCK * BLOCK
    with TemporaryDirectory(prefix="poolsight-queries-") as made:
        _make(Path(made), series, end, image)
        asked = _ask(Path(made), end, image, memory)
    workers = {dict(labels).get("worker") for labels in series} - {None}
    count = Counter(query.dashboard for query in queries())
    passed = (
        len(workers) == WORKERS
        and max(count.values()) <= MOST_QUERIES
        and all(found["slowest"]["milliseconds"] < LIMIT for found in asked.values())
        and not any(found["without_answer"] for found in asked.values())
    )
    findings = {"series": len(series), "workers": len(workers), "queries": dict(count)}
    record("queries", passed, image, {**findings, "asked": asked})


def queries() -> Iterator[Query]:
    """Yield every query of every panel."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                points = panel["gridPos"]["w"] * COLUMN
                yield Query(
                    path.stem, panel["title"], target["expr"], points, target.get("instant", False)
                )


def _prometheus(stack: Stack) -> tuple[str, int]:
    """Return the image and the memory limit, bytes, of the stack's Prometheus."""
    (found,) = stack.containers("prometheus")
    return found["Config"]["Image"], found["HostConfig"]["Memory"]


def _make(
    directory: Path, series: dict[tuple[tuple[str, str], ...], float], end: int, image: str
) -> None:
    """Write the day before `end` as blocks into `directory`."""
    text = directory / "samples.txt"
    for begin in range(end - HOURS * 3600, end, BLOCK):
        with text.open("w") as file:
            for labels, value in series.items():
                if ("job", "loadtest") in labels and begin < end - SOAK:
                    continue
                file.writelines(_samples(dict(labels), value, begin, end))
            file.write("# EOF\n")
        docker(
            *(
                "run",
                "--rm",
                "--user",
                USER,
                "--volume",
                f"{directory}:/made",
                "--entrypoint",
                "promtool",
                image,
            ),
            *("tsdb", "create-blocks-from", "openmetrics", "/made/samples.txt", "/made/data"),
            timeout=600,
        )
    text.unlink()


def _samples(labels: dict[str, str], value: float, begin: int, end: int) -> Iterator[str]:
    """Yield one block's samples of a series: a counter that ends at a day's work, or a gauge."""
    name = labels.pop("__name__", "")
    chosen = ",".join(f"{label}={json.dumps(text)}" for label, text in sorted(labels.items()))
    day = HOURS * 3600
    digits = 0 if value.is_integer() else 3  # what counts is whole, and takes less to read
    for moment in range(begin, begin + BLOCK, SCRAPE):
        # Faster by day than by night, but never back.
        share = 1 - (end - moment) / day
        wave = math.sin(2 * math.pi * share)
        if COUNTER.fullmatch(name):
            now = round(value * 400 * (share - wave / 8), digits)
        else:
            now = value if name.endswith("_info") else round(value * (1 + wave / 4), digits)
        yield f"{name}{{{chosen}}} {now} {moment}\n"


def _ask(directory: Path, end: int, image: str, memory: int) -> dict[str, Any]:
    """Start Prometheus on the made day and ask all queries; return how long they took."""
    port = free_ports("prometheus")["prometheus"]
    (directory / "prometheus.yml").write_text("{}\n")
    container = docker(
        *(
            "run",
            "--detach",
            "--user",
            USER,
            "--memory",
            str(memory),
            "--publish",
            f"127.0.0.1:{port}:9090",
        ),
        *("--volume", f"{directory}:/made", image, "--config.file=/made/prometheus.yml"),
        *("--storage.tsdb.path=/made/data", "--storage.tsdb.retention.time=1y"),
    ).strip()
    server = Stack("poolsight-queries", grafana=False, ports={"HTTP_PORT": port})
    try:
        eventually(lambda: server.get("/-/ready")[0] == 200, within=60)
        return {name: _timed(server, end, span) for name, span in SPANS.items()}
    finally:
        docker("rm", "--force", "--volumes", container)


def _timed(server: Stack, end: int, span: int) -> dict[str, Any]:
    """Ask all queries over the last `span` seconds; return how long they took."""
    took: list[tuple[float, str]] = []
    empty = []
    for query in queries():
        path = query.path(end - SCRAPE, span)
        times = []
        for _ in range(ASKED):
            began = time.perf_counter()
            status, body = server.get(path)
            times.append((time.perf_counter() - began) * 1000)
            assert status == 200, body
        name = f"{query.dashboard}: {query.panel}"
        took.append((median(times), name))
        if not json.loads(body)["data"]["result"] and query.panel not in QUIET:
            empty.append(name)
    milliseconds, slowest = max(took)
    return {
        "slowest": {"panel": slowest, "milliseconds": round(milliseconds, 1)},
        "median_milliseconds": round(median(one for one, _ in took), 1),
        "without_answer": empty,
    }


if __name__ == "__main__":
    main()
