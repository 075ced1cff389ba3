"""``make demo``: everything on this machine, a traffic spike, and the report of it.

Exit codes: 0 with a report, 1 when something was in the way, 130 after Ctrl-C.
"""

import os
import platform
import signal
import sys
import time
from contextlib import ExitStack
from datetime import datetime
from importlib.metadata import version

from rich.console import Console
from rich.text import Text

from loadtest.lab import report, verdict
from loadtest.lab.application import ROOT, Application
from loadtest.lab.database import PrivateDatabase
from loadtest.lab.errors import LabError
from loadtest.lab.facts import facts
from loadtest.lab.ports import free_port
from loadtest.lab.processes import Service, Workspace
from loadtest.lab.recorder import Recorder
from loadtest.lab.run import Run
from loadtest.lab.view import View
from loadtest.stages import SPIKE, duration

PROFILE = "spike"
PATIENTS = 2000
LOAD_GRACE = 15.0  # seconds to print its result, and to drain, after the last stage
INTERRUPTED = "it was interrupted with Ctrl-C."


class Demo:
    """One demonstration; ``run()`` returns the exit code."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stack = ExitStack()
        self._started = datetime.now().astimezone()
        self._directory = ROOT / "runs" / f"{self._started:%Y%m%d-%H%M%S}-{PROFILE}"

    def run(self) -> int:
        """Set everything up, send the spike, report it, and remove everything but the report."""
        with self._stack:
            database, application, workspace = self._set_up()
            self._directory.mkdir(parents=True)
            recorder, load, ended_early = self._send_load(application, workspace)
            run = self._result(database, application, recorder, load, ended_early)
            self._report(run)
        self._console.print("Everything was stopped and removed, except this report.", style="dim")
        if ended_early == INTERRUPTED:
            return 130
        return 1 if ended_early else 0

    def _set_up(self) -> tuple[PrivateDatabase, Application, Workspace]:
        workspace = Workspace("poolsight-demo-")
        self._stack.callback(workspace.close)
        began = time.monotonic()
        database = self._stack.enter_context(PrivateDatabase.running())
        self._step(began, f"{database.name} on port {database.port}, private and temporary")
        application = Application(workspace, database)
        began = time.monotonic()
        application.prepare(PATIENTS)
        self._step(began, f"schema migrated, {PATIENTS} synthetic patients")
        began = time.monotonic()
        application.start()
        pool = application.settings
        self._step(
            began,
            f"application on {application.url}: {pool['CLINIC_WORKERS']} workers, each with "
            f"{pool['CLINIC_THREADS']} threads and a pool of {pool['CLINIC_POOL_SIZE']}"
            f"+{pool['CLINIC_POOL_MAX_OVERFLOW']} connections",
        )
        return database, application, workspace

    def _send_load(
        self, application: Application, workspace: Workspace
    ) -> tuple[Recorder, Service, str]:
        """Run the profile to its end; return what was recorded, and why it ended early, if so."""
        bind = f"127.0.0.1:{free_port()}"
        load = Service(
            workspace,
            [sys.executable, "-m", "loadtest", PROFILE, "--host", application.url],
            log=self._directory / "load.log",
            env={
                **os.environ,
                "LOADTEST_METRICS_BIND": bind,
                "LOADTEST_BOOKINGS_FILE": str(self._directory / "bookings.jsonl"),
            },
            cwd=ROOT,
        )
        view = View(self._console, f"Traffic {PROFILE}", SPIKE)
        with Recorder(application.metrics_url, f"http://{bind}/metrics") as recorder:
            try:
                with view.shown():
                    ended_early = self._watch(load, application, recorder, view)
            except KeyboardInterrupt:
                ended_early = INTERRUPTED
                load.interrupt()
                load.wait(LOAD_GRACE)
        return recorder, load, ended_early

    def _watch(
        self, load: Service, application: Application, recorder: Recorder, view: View
    ) -> str:
        """Show the samples until the load has ended."""
        deadline = time.monotonic() + duration(SPIKE) + 2 * LOAD_GRACE
        while load.alive:
            view.update(recorder.samples)
            if not application.alive:
                return f"the application ended.\n{application.last_lines()}"
            if time.monotonic() > deadline:
                return f"the load did not end in time.\n{load.last_lines()}"
            time.sleep(0.2)
        if load.exit_code not in (0, 1):
            return f"the load failed.\n{load.last_lines()}"
        return ""

    def _result(
        self,
        database: PrivateDatabase,
        application: Application,
        recorder: Recorder,
        load: Service,
        ended_early: str,
    ) -> Run:
        bookings = self._directory / "bookings.jsonl"
        run = Run(
            profile=PROFILE,
            started_at=f"{self._started:%Y-%m-%d %H:%M:%S %Z}",
            settings=application.settings,
            versions=versions(database),
            stages=list(SPIKE),
            samples=[sample for sample in recorder.samples if sample.pool or sample.load],
            bookings=len(bookings.read_text().splitlines()) if bookings.exists() else 0,
            slo=next((line for line in reversed(load.lines()) if line.startswith("SLO ")), ""),
            ended_early=ended_early,
        )
        run.save(self._directory)
        return run

    def _report(self, run: Run) -> None:
        if run.ended_early:
            text = Text(f"The run ended early: {run.ended_early}", style="bold yellow")
            self._console.print(text, soft_wrap=True)
        try:
            path = report.write(run, self._directory)
        except ValueError as error:
            raise LabError(f"There is nothing to report: {error}.") from error
        self._console.print()
        self._console.print(Text(verdict.headline(facts(run)), style="bold"), soft_wrap=True)
        self._console.print(f"Report: {path}", soft_wrap=True)

    def _step(self, began: float, text: str) -> None:
        seconds = Text(f" {time.monotonic() - began:.1f} s", style="dim")
        line = Text("✓ ", style="green").append(text, style="default").append(seconds)
        self._console.print(line, soft_wrap=True)


def versions(database: PrivateDatabase) -> dict[str, str]:
    """Return what the run's numbers depend on."""
    packages = ("SQLAlchemy", "PyMySQL", "gunicorn", "Flask", "locust")
    return {
        "database": database.name,
        **{package: version(package) for package in packages},
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
    }


def main() -> int:
    """Run the demonstration; every failure is a message, never a traceback."""
    console = Console(highlight=False)
    # Ctrl-C also when a parent (make, a script in the background) had switched it off.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return Demo(console).run()
    except (LabError, OSError) as error:
        console.print(Text(str(error), style="red"), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted. Everything was stopped and removed.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
