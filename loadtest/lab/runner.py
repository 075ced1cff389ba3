"""Runs a scenario on a target: sends it, breaks what it says, records, judges, and keeps it all."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from loadtest.exits import EXIT_ABORTED
from loadtest.lab import fingerprint, integrity, results
from loadtest.lab.errors import LabError
from loadtest.lab.faults import injected
from loadtest.lab.processes import Service
from loadtest.lab.recorder import Recorder
from loadtest.lab.results import StageResult
from loadtest.lab.run import Run
from loadtest.lab.sources import Alert
from loadtest.lab.targets import BOOKINGS, REQUESTS, Target
from loadtest.lab.view import View
from loadtest.lab.waiting import wait_for
from loadtest.records import requests
from loadtest.scenario import Scenario
from loadtest.send import BEGAN
from loadtest.slo import Result, breaches, verdict

START = 30.0  # seconds until the traffic begins: a container may have to be started
END = 40.0  # seconds after the last stage, for the last answers and the summary
LOOK = 0.1  # seconds between two looks at a run, which are shown
SETTLE = 8.0  # seconds at most until the last sample
INTERRUPTED = "it was interrupted with Ctrl-C."


@dataclass
class Sent:
    """What one sending of the traffic left behind."""

    recorder: Recorder
    began: float = 0.0
    ended_early: str = ""
    bookings: int = 0
    results: list[StageResult] = field(default_factory=list)


class Runner:
    """One run of *scenario* on *target*, into *directory*; ``run()`` returns what it found."""

    def __init__(
        self,
        console: Console,
        target: Target,
        scenario: Scenario,
        directory: Path,
        *,
        seed: int,
        calm: bool,
    ) -> None:
        self._console = console
        self._target = target
        self._scenario = scenario.calm() if calm else scenario
        self._directory = directory
        self._seed, self._calm = seed, calm
        self._started = datetime.now().astimezone()

    def run(self) -> Run:
        """Send the traffic, and beside it that of closed users where the scenario says so.

        Raises:
            LabError: it could not even begin.
            OSError: the directory cannot be written.
        """
        sent = self._send(self._directory, closed=False)
        closed: list[StageResult] = []
        if self._scenario.beside_closed and not sent.ended_early:
            beside = self._directory / "closed"
            beside.mkdir()
            closed = self._send(beside, closed=True).results
        return self._result(sent, closed)

    def _send(self, directory: Path, *, closed: bool) -> Sent:
        options = [self._scenario.source, "--seed", str(self._seed)]
        options += ["--calm"] * self._calm + ["--closed"] * closed
        view = View(self._console, self._title(closed), self._scenario)
        with Recorder(self._target.source) as recorder, ExitStack() as fault:
            sent = Sent(recorder)
            load = self._target.send(options, directory)
            try:
                with view.shown():
                    self._wait_for_begin(sent, load)
                    sent.ended_early = self._watch(sent, load, view, fault)
            except KeyboardInterrupt:
                sent.ended_early = INTERRUPTED
            except LabError as error:
                if not sent.began:
                    load.kill()
                    raise
                sent.ended_early = str(error)
            self._undo(fault, sent)
            load.interrupt()
            load.wait(END)
            load.kill()
            self._wait_for_last_sample(recorder)
        self._read(sent, directory)
        return sent

    def _wait_for_begin(self, sent: Sent, load: Service) -> None:
        def begun() -> float:
            line = next((line for line in load.lines() if line.startswith(BEGAN)), None)
            if line is None and not load.alive:
                raise LabError(f"No traffic was sent:\n{load.last_lines()}")
            return float(line.removeprefix(BEGAN)) if line else 0.0

        sent.began = wait_for(begun, START, every=0.05)
        if not sent.began:
            raise LabError(f"No traffic was sent within {START:g} s:\n{load.last_lines()}")

    def _watch(self, sent: Sent, load: Service, view: View, fault: ExitStack) -> str:
        """Show the samples, and inject and undo the fault, until the load has ended."""
        begin, end = self._scenario.fault_bounds or (None, None)
        while load.alive:
            now = time.time() - sent.began
            if begin is not None and now >= begin:
                fault.enter_context(injected(self._target, self._scenario.fault))
                begin = None
            if end is not None and now >= end:
                fault.close()
                end = None
            view.update(sent.recorder.samples, sent.began - sent.recorder.began)
            if problem := self._target.problem():
                return problem
            if now > self._scenario.seconds + END:
                return f"the load did not end in time.\n{load.last_lines()}"
            time.sleep(LOOK)
        if load.exit_code == EXIT_ABORTED:
            return f"the SLO was missed for {self._scenario.slo.abort_after:g} s: it was aborted."
        if load.exit_code not in (0, 1):
            return f"the load failed.\n{load.last_lines()}"
        return ""

    def _undo(self, fault: ExitStack, sent: Sent) -> None:
        try:
            fault.close()
        except LabError as error:
            sent.ended_early = sent.ended_early or f"the fault could not be undone: {error}"

    def _wait_for_last_sample(self, recorder: Recorder) -> None:
        """Wait until a sample tells of the end; a Prometheus scrapes every few seconds."""
        end = time.time() - recorder.began
        wait_for(lambda: recorder.samples and recorder.samples[-1].at >= end, SETTLE)

    def _read(self, sent: Sent, directory: Path) -> None:
        found = requests(directory / REQUESTS)
        scenario = self._scenario
        sent.results = results.by_stage(found, scenario.stages, sent.began, scenario.deadline)
        bookings = directory / BOOKINGS
        sent.bookings = len(bookings.read_text().splitlines()) if bookings.exists() else 0

    def _result(self, sent: Sent, closed: list[StageResult]) -> Run:
        scenario, samples = self._scenario, sent.recorder.samples
        began = sent.began - sent.recorder.began
        slo, missed = self._judge(sent)
        return Run(
            scenario=scenario.name,
            source=scenario.source,
            title=scenario.title,
            target=self._target.name,
            started_at=f"{self._started:%Y-%m-%d %H:%M:%S %Z}",
            seed=self._seed,
            calm=self._calm,
            holds=scenario.holds,
            deadline=scenario.deadline,
            settings=self._target.settings(),
            versions=self._target.versions(),
            stages=list(scenario.stages),
            focus=scenario.focus,
            fault=scenario.fault.kind,
            fault_bounds=list(scenario.fault_bounds or ()),
            traffic_began=sent.began,
            began=round(began, 3),
            samples=[sample for sample in samples if sample.pool or sample.load],
            results=sent.results,
            closed=closed,
            marks=fingerprint.look(scenario, samples, began),
            alerts=self._alerts(sent.began),
            expected_alerts=list(scenario.alerts),
            thresholds=self._thresholds(),
            bookings=sent.bookings,
            broken=integrity.broken(self._target, self._directory / BOOKINGS),
            slo=slo,
            missed=missed,
            invalid=results.bottleneck(samples) or results.gap(sent.results[-1], samples),
            ended_early=sent.ended_early,
        )

    def _thresholds(self) -> dict[str, float]:
        found = {"response p95": self._scenario.slo.p95_ms / 1000}
        if timeout := self._target.settings().get("CLINIC_POOL_TIMEOUT"):
            found["wait p95"] = float(timeout)
        return found

    def _judge(self, sent: Sent) -> tuple[str, bool]:
        """Hold all requests, and the arrivals that could not be sent, against the SLO."""
        whole = sent.results[-1]
        loads = [sample.load for sample in sent.recorder.samples if sample.load]
        dropped = loads[-1].dropped if loads else 0.0
        total = whole.requests + dropped
        share = (whole.failed + dropped) / total if total else 0.0
        result = Result(round(total), share, round((whole.p95 or 0.0) * 1000))
        missed = breaches(self._scenario.slo, result)
        return verdict(self._scenario.slo, result, missed).strip(), bool(missed)

    def _alerts(self, began: float) -> list[Alert] | None:
        if self._target.prometheus is None:
            return None
        try:
            return self._target.prometheus.alerts(began)
        except (OSError, ValueError, KeyError) as error:
            text = Text(f"Prometheus could not be asked for alerts: {error}", style="yellow")
            self._console.print(text, soft_wrap=True)
            return None

    def _title(self, closed: bool) -> str:
        how = "closed users" if closed else f"{self._scenario.arrivals} arrivals"
        return f"{self._scenario.name}{', calm' if self._calm else ''}: {how}"
