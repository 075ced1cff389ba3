"""The application on a Swarm of three nodes, scaled, updated and bereft of a node under load.

MySQL, source and replica, is outside, as is a load balancer. Before, while all nodes are there, a
workload that is bound by the pools, with load from the Swarm itself: does throughput grow with
replicas, and what ends it? It is carried by the release before, which has the same pool.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from loadtest.records import requests
from tests.drills import record
from tests.rehearsal.load import sent
from tests.rehearsal.processors import Processors
from tests.rehearsal.steps import Steps
from tests.releases import PREVIOUS, unpack
from tests.stack.stack import ROOT
from tests.swarm.fleet import Fleet
from tests.swarm.nodes import Nodes
from tests.swarm.servers import SOURCE, Servers
from tests.swarm.truth import Truth
from tests.waiting import eventually

THIS, BEFORE = "poolsight-app:local", "poolsight-app:previous"
IMAGES = (
    THIS, BEFORE, "poolsight-loadtest:local", "nginxinc/nginx-unprivileged:1.26.3",
    "container-registry.oracle.com/mysql/community-router:9.7", "prom/prometheus:v3.5.3",
    "prom/mysqld-exporter:v0.19.0", "prom/alertmanager:v0.33.1",
    "victoriametrics/victoria-metrics:v1.145.0",
)  # fmt: skip
TRAFFIC = "tests/swarm/traffic.toml"
EXPANDED = "0004"  # which both releases understand
LOST = "node3"
LOST_NODE = "a node is lost"
ENDS_WITHIN = 15.0  # seconds after a node's death, in which requests may fail
GHOSTS = 60.0  # seconds until MySQL has noticed that clients are gone: servers.GONE
QUIET = 25.0  # seconds of load after each step
PER_REPLICA = 12  # connections that a replica may open, and requests a second of pool-bound.toml
GENERATORS = 3
REPLICAS = (1, 3, 6, 7)
TOO_MANY = 8  # for max_connections = 100
VISIBLE = 'sum(clinic_reads_total{{target="{}",reason="{}"}})'


class Drill:
    """The steps under load, and when each began."""

    def __init__(self, fleet: Fleet, nodes: Nodes, servers: Servers) -> None:
        self._fleet = fleet
        self._nodes = nodes
        self._servers = servers
        self.steps = Steps()
        self.found: dict[str, Any] = {}

    def run(self) -> None:
        """All steps, while somebody else sends the load."""
        fleet = self._fleet
        self._step("one replica")
        self._step("from 1 to 3", partial(fleet.scale, 3))
        self._step("from 3 to 6", partial(fleet.scale, 6))
        self.found["replicas on nodes"] = fleet.nodes_with_replicas()
        update = partial(fleet.deploy, THIS, 6, EXPANDED)
        self._step("update with a migration", update)
        self._step("the migration's end", partial(fleet.deploy, THIS, 6))
        self.found["schema"] = self._servers.sql(SOURCE, "SELECT version_num FROM alembic_version")
        self._step("a release that does not start", self._taken_back)
        self._replica_stops()
        self._step(LOST_NODE, self._lose)
        self.steps.note("end")

    def _taken_back(self) -> None:
        """Its migrations succeed; its replicas end at once, for want of a setting that is right."""
        said = self._fleet.deploy(THIS, 6, check=False, CLINIC_THREADS="none")
        print(said[-600:], flush=True)  # noqa: T201
        self.found["of a release that does not start"] = said.splitlines()[-1]

    def _replica_stops(self) -> None:
        fresh, stale = VISIBLE.format("replica", "fresh"), VISIBLE.format("source", "stale")
        self.steps.note("the replica stops")
        self._grows(fresh)
        with self._servers.stopped():
            self._grows(stale)
            self.steps.load(QUIET)
        self.steps.note("the replica follows again")
        self._grows(fresh)
        self.steps.load(QUIET)

    def _lose(self) -> None:
        self.found["lost at"] = time.time()
        self._nodes.lose(LOST)
        eventually(self._back, within=120, every=1)
        self.found["replicas back after, s"] = round(time.time() - self.found["lost at"], 1)
        # Until MySQL has noticed, it has connections that nobody holds any more.
        self.steps.load(max(0.0, self.found["lost at"] + GHOSTS - time.time()))

    def _back(self) -> bool:
        there = self._fleet.nodes_with_replicas()
        return not there[LOST] and sum(there.values()) == 6

    def _grows(self, counter: str) -> None:
        before = self._fleet.value(counter) or 0.0
        eventually(lambda: (self._fleet.value(counter) or 0.0) > before, within=60, every=1)

    def _step(self, name: str, action: Any = None) -> None:
        self.steps.note(name)
        if action:
            action()
        self.steps.load(QUIET)


def main() -> None:
    """Build, deploy, drill, and record."""
    directory = ROOT / "runs" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-swarm"
    directory.mkdir(parents=True)
    _build()
    with Nodes() as nodes, tempfile.TemporaryDirectory() as secrets, Processors() as processors:
        nodes.load(IMAGES)
        fleet = Fleet(nodes)
        with Servers(fleet.secrets(Path(secrets))) as servers:
            version = servers.sql(SOURCE, "SELECT VERSION()")[0][0]
            print(fleet.deploy(BEFORE, 1, "0003")[-600:], flush=True)  # noqa: T201
            with fleet.balanced():
                throughput = _throughput(fleet, processors)
                fleet.scale(1)
                found = _under_load(fleet, nodes, servers, directory)
    checks = found.pop("checks") | throughput.pop("checks")
    findings = {"checks": checks, **found, "throughput": throughput}
    record("swarm", all(checks.values()), f"MySQL {version}", findings)


def _build() -> None:
    for target, tag in (("app", THIS), ("loadtest", "poolsight-loadtest:local")):
        _image(ROOT, target, tag)
    with tempfile.TemporaryDirectory() as before:
        _image(unpack(PREVIOUS, Path(before)), "app", BEFORE)


def _image(context: Path, target: str, tag: str) -> None:
    arguments = ("--build-arg", "PIP_INDEX_URL") if "PIP_INDEX_URL" in os.environ else ()
    command = ["docker", "build", "--quiet", "--target", target, "--tag", tag, *arguments]
    subprocess.run([*command, str(context)], check=True, capture_output=True)


def _under_load(
    fleet: Fleet, nodes: Nodes, servers: Servers, directory: Path
) -> dict[str, Any]:  # fmt: skip
    drill = Drill(fleet, nodes, servers)
    with Truth(servers) as truth, sent(fleet.port, directory, TRAFFIC):
        drill.run()
    found = list(requests(directory / "requests.csv"))
    phases = drill.steps.phases(found)
    compared = {
        one.name: truth.compare(fleet, one.began, one.began + one.seconds)
        for one in phases
        if one.name != LOST_NODE
    }
    lost_at = drill.found.pop("lost at")
    compared["after the loss"] = truth.compare(fleet, lost_at + GHOSTS, drill.steps.began[-1][1])
    failed = [one for one in found if not one.good]
    # Also what was on its way when the node went.
    by_loss = [one for one in failed if one.due + one.seconds > lost_at]
    last = max((one.due + one.seconds - lost_at for one in by_loss), default=0.0)
    lost = _lost(servers, directory / "bookings.jsonl")
    twice = servers.sql(
        SOURCE, "SELECT slot_id FROM appointment WHERE cancelled_at IS NULL "
        "GROUP BY slot_id HAVING COUNT(*) > 1"
    )  # fmt: skip
    silent = _silent(fleet)
    checks = {
        "no request failed but by the lost node": len(failed) == len(by_loss),
        f"failures end within {ENDS_WITHIN:g} s": last <= ENDS_WITHIN,
        "every booking that was answered is there": not lost,
        "no slot is booked twice": not twice,
        "gauges equal the processlist": all(
            one["compared"] and not one["wrong"] for one in compared.values()
        ),
        "a release that does not start is taken back": "rollback_completed"
        in drill.found["of a release that does not start"],
        "each node had replicas": all(drill.found["replicas on nodes"].values()),
        "all replicas are back": sum(fleet.nodes_with_replicas().values()) == 6,
        "VictoriaMetrics has it too": bool(fleet.history("sum(db_client_connection_max)")),
        "every panel of Fleet has an answer": not silent,
    }
    return {
        "checks": checks, **drill.found,
        "requests": len(found), "failed by the lost node": len(by_loss),
        "last failure after, s": round(last, 1), "bookings lost": lost,
        "silent panels": silent,
        "compared": compared,
        "steps": [{**asdict(one), "began": round(one.began - phases[0].began)} for one in phases],
    }  # fmt: skip


def _lost(servers: Servers, bookings: Path) -> list[int]:
    answered = {json.loads(line)["appointment_id"] for line in bookings.read_text().splitlines()}
    there = {int(row[0]) for row in servers.sql(SOURCE, "SELECT id FROM appointment")}
    return sorted(answered - there)


def _silent(fleet: Fleet) -> list[str]:
    board = json.loads((ROOT / "monitoring/grafana/dashboards/fleet.json").read_text())
    return [
        f"{panel['title']}: {target['legendFormat']}"
        for panel in board["panels"]
        for target in panel.get("targets", [])
        if not fleet.ask(target["expr"].replace("$__rate_interval", "1m"))
    ]


def _throughput(fleet: Fleet, processors: Processors) -> dict[str, Any]:
    rounds = [_carried(fleet, replicas, processors) for replicas in REPLICAS]
    refused = fleet.deploy(THIS, TOO_MANY, check=False)
    print(refused[-600:], flush=True)  # noqa: T201
    carried = [one["requests a second"] for one in rounds]
    in_full = [one["requests a second"] >= 0.85 * PER_REPLICA * one["replicas"] for one in rounds]
    said = [line for line in refused.splitlines() if re.match("needed|granted|Does|deploy:", line)]
    ended_by = "the budget" if all(in_full) else "the processors"
    return {
        "rounds": rounds, "ended by": ended_by, "said": said,
        "checks": {
            "throughput grows with replicas": carried == sorted(carried),
            "what ends it is named": ended_by == "the budget"
            or rounds[in_full.index(False)]["idle"] < 0.1,
            "more than fit are refused": "the release before goes on" in refused.lower(),
            "three machines send": all(one["senders"] == GENERATORS for one in rounds),
        },
    }  # fmt: skip


def _carried(fleet: Fleet, replicas: int, processors: Processors) -> dict[str, Any]:
    fleet.scale(replicas)
    began = time.time()
    said = fleet.load(GENERATORS)
    ended = time.time()
    good = "rate(locust_requests_total[20s])) - sum(rate(locust_failures_total[20s])"
    course = [value for _, value in fleet.course(f"sum({good})", began, ended)]
    senders = fleet.course("count(count by (instance) (locust_users))", began, ended)
    middle = sorted(course)[len(course) // 2 :]
    total = re.search(r"Aggregated\s+(\d+)\s+(\d+)", said)
    one = {
        "replicas": replicas,
        "requests a second": round(sum(middle) / len(middle), 1),
        "merged by the master": int(total.group(1)) if total else 0,
        "of which failed": int(total.group(2)) if total else 0,
        "senders": int(max((value for _, value in senders), default=0)),
        "idle": processors.shares(began, ended)["idle"],
    }
    print(one, flush=True)  # noqa: T201
    return one


if __name__ == "__main__":
    main()
