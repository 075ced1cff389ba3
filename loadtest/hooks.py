"""What this project adds to Locust. Every locustfile in ``users/`` imports it.

Options (also as lines of a profile's .conf): the SLO, the scenario, and the files that are written.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators

import atexit
import contextlib
import math
import os
import signal
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any, NoReturn

import gevent
import locust.stats
from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner
from locust.stats import StatsEntry

from loadtest import scenario
from loadtest.directory import Directory
from loadtest.exits import EXIT_ABORTED, EXIT_MISSED, EXIT_UNREACHABLE, EXIT_USAGE
from loadtest.metrics import DEFAULT_BIND, LoadMetrics
from loadtest.records import BookingLog, Request, RequestLog
from loadtest.send import BEGAN
from loadtest.slo import Result, Slo, breaches, verdict

PROGRESS_EVERY = 5.0  # seconds
ALIGNMENT = 0.5  # seconds from the start until the first arrival can be due; users start meanwhile
MOST_WORKERS = 64


def whole_milliseconds(response_time: float) -> int:
    """Keep response times exact; Locust would make 1449 ms 1400 ms, too coarse to judge by."""
    return round(response_time)


locust.stats.bucket_response_time = whole_milliseconds


class Run:
    """What the users of this process share; filled before the first user starts."""

    directory: Directory
    scenario: scenario.Scenario
    measures: LoadMetrics
    bookings = BookingLog(None)
    began = 0.0
    worker = 0
    dropped = 0  # open arrivals that were not sent; on the master: of all workers


@events.init_command_line_parser.add_listener
def add_options(parser: LocustArgumentParser) -> None:
    """Declare the options of this project."""
    group = parser.add_argument_group("Clinic")
    group.add_argument("--slo-max-fail-ratio", type=float, default=0.01, help="0 to 1")
    group.add_argument("--slo-p95-ms", type=float, default=1000.0, help="milliseconds")
    group.add_argument(
        "--slo-abort-after",
        type=float,
        default=0.0,
        help="end the run once the SLO was missed for so many seconds; 0: never",
    )
    group.add_argument("--scenario", default="", help="its traffic, for users of that kind")
    group.add_argument("--calm", action="store_true", help="the scenario without what goes wrong")
    group.add_argument("--seed", type=int, default=1, help="the same one sends the same arrivals")
    # Locust tells its workers the master's value of this, and not of --users.
    group.add_argument("--generators", type=int, default=1, help="that share the arrivals")
    group.add_argument(
        "--most-in-flight", type=int, default=1000, help="open arrivals beyond it are dropped"
    )
    group.add_argument(
        "--bookings-file",
        env_var="LOADTEST_BOOKINGS_FILE",
        help="append every booking answered 201 to this JSON lines file",
    )
    group.add_argument(
        "--requests-file",
        env_var="LOADTEST_REQUESTS_FILE",
        help="append every request to this CSV file",
    )


@events.init.add_listener
def prepare(environment: Environment, runner: Runner, **_others: Any) -> None:
    """Open the files, learn the target's ids and serve the metrics."""
    options = options_of(environment)
    if options.scenario:
        Run.scenario = _scenario(options)
    if isinstance(runner, MasterRunner):
        return
    requests = _open_files(options)
    try:
        Run.directory = Directory.learn(str(environment.host))
    except (OSError, ValueError) as error:
        _stop(f"No load sent: {environment.host} could not be read: {error}", EXIT_UNREACHABLE)
    Run.measures = LoadMetrics(options.profile or "none", lambda: runner.user_count)
    environment.events.request.add_listener(Run.measures.observe)
    environment.events.request.add_listener(requests)
    ports = MOST_WORKERS if isinstance(runner, WorkerRunner) else 1
    _serve(Run.measures, os.environ.get("LOADTEST_METRICS_BIND") or DEFAULT_BIND, ports)


@events.init.add_listener
def end_on_signals(environment: Environment, runner: Runner, **_others: Any) -> None:
    """End the run in order on Ctrl-C, and on SIGTERM also while a shape runs.

    Locust relies on KeyboardInterrupt, which is lost when it lands in a greenlet that catches
    everything, and handles SIGTERM only once a shape has ended.
    """
    gevent.signal_handler(signal.SIGINT, _end, runner)
    if environment.shape_class:
        gevent.signal_handler(signal.SIGTERM, _end, runner)


@events.test_start.add_listener
def begin(environment: Environment, **_others: Any) -> None:
    """Start the scenario's clock, and print one line every few seconds."""
    runner = environment.runner
    Run.began = time.time() + ALIGNMENT
    if isinstance(runner, WorkerRunner):
        Run.worker = runner.worker_index
    elif runner:
        options = options_of(environment)
        sys.stderr.write(f"{options.profile} on {environment.host}\n{BEGAN}{Run.began:.3f}\n")
        gevent.spawn(_progress, environment.stats.total, runner)
        if options.slo_abort_after:
            gevent.spawn(_abort_when_missed, environment, runner)


@events.report_to_master.add_listener
def tell_dropped(data: dict[str, Any], **_others: Any) -> None:
    """Tell the master what was dropped since the last report."""
    data["dropped"], Run.dropped = Run.dropped, 0


@events.worker_report.add_listener
def add_dropped(data: dict[str, Any], **_others: Any) -> None:
    """Add what a worker dropped."""
    Run.dropped += data.get("dropped", 0)


@events.quitting.add_listener
def judge(environment: Environment, **_others: Any) -> None:
    """Compare the run with its SLO; a miss sets the exit code 1, and what was dropped failed."""
    code = environment.process_exit_code
    if isinstance(environment.runner, WorkerRunner) or code not in (None, EXIT_ABORTED):
        return
    slo, total = _slo(environment), environment.stats.total
    p95 = total.get_response_time_percentile(0.95) or 0
    wanted = total.num_requests + Run.dropped
    failed = total.num_failures + Run.dropped
    result = Result(wanted, failed / wanted if wanted else 0.0, p95)
    missed = breaches(slo, result)
    environment.process_exit_code = code or (EXIT_MISSED if missed else 0)
    # Locust prints its tables after this event; the verdict belongs below them.
    dropped = f"{Run.dropped} arrivals were dropped: too many requests were in flight.\n"
    atexit.register(sys.stderr.write, verdict(slo, result, missed) + dropped * bool(Run.dropped))


def options_of(environment: Environment) -> Namespace:
    """Return the command line's options."""
    options: Namespace | None = environment.parsed_options
    assert options  # noqa: S101 - always there on the command line
    return options


def _slo(environment: Environment) -> Slo:
    options = options_of(environment)
    return Slo(options.slo_max_fail_ratio, options.slo_p95_ms, options.slo_abort_after)


def _scenario(options: Namespace) -> scenario.Scenario:
    try:
        found = scenario.load(options.scenario)
    except scenario.ScenarioError as error:
        _stop(str(error), EXIT_USAGE)
    return found.calm() if options.calm else found


def _open_files(options: Namespace) -> Any:
    """Open what is written line by line; return the listener that writes the requests down."""
    name, path = "--bookings-file", options.bookings_file
    try:
        Run.bookings = BookingLog(Path(path) if path else None)
        name, path = "--requests-file", options.requests_file
        log = RequestLog(Path(path) if path else None)
    except OSError as error:
        _stop(f"{name} cannot be written: {error}", EXIT_USAGE)

    def record(
        name: str, response_time: float, start_time: float, exception: Any, response: Any, **_: Any
    ) -> None:
        status = getattr(response, "status_code", 0) or 0
        log.record(Request(start_time, response_time / 1000, status, exception is None, name))

    return record


def _end(runner: Runner) -> None:
    with contextlib.suppress(OSError):  # whoever read the output may be gone
        sys.stderr.write("Interrupted: what follows is the result so far.\n")
    _quit(runner)


def _quit(runner: Runner) -> None:
    if runner.environment.shape_class and runner.shape_greenlet:
        runner.shape_greenlet.kill(block=False)  # Locust then ends as after the last stage
    else:
        runner.quit()


def _serve(metrics: LoadMetrics, bind: str, ports: int) -> None:
    """Serve on the first of *ports* that is free, from the one in *bind* on."""
    host, _, first = bind.rpartition(":")
    for number in range(ports):
        try:
            return metrics.serve(f"{host}:{int(first) + number}")
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError) or number == ports - 1:
                _stop(
                    f"LOADTEST_METRICS_BIND={bind}: metrics cannot be served: {error}", EXIT_USAGE
                )
    raise AssertionError("there is at least one port")


def _progress(total: StatsEntry, runner: Runner) -> None:
    while True:
        gevent.sleep(PROGRESS_EVERY)
        elapsed = total.last_request_timestamp or total.start_time
        sys.stderr.write(
            f"{elapsed - total.start_time:5.0f} s  {runner.user_count:4} users  "
            f"{total.current_rps:5.0f} requests/s  {total.current_fail_per_sec:4.0f} failed/s  "
            f"p95 {total.get_current_response_time_percentile(0.95) or 0:5.0f} ms\n"
        )


def _abort_when_missed(environment: Environment, runner: Runner) -> None:
    """End the run once each look at the last seconds has shown a miss for long enough."""
    slo, total = _slo(environment), environment.stats.total
    good_at = time.monotonic()
    while time.monotonic() - good_at < slo.abort_after:
        gevent.sleep(1.0)
        recent = _recent(total)
        if not recent.requests or not breaches(slo, recent):
            good_at = time.monotonic()
    sys.stderr.write(f"Aborted: the SLO was missed for {slo.abort_after:g} s.\n")
    environment.process_exit_code = EXIT_ABORTED
    _quit(runner)


def _recent(total: StatsEntry) -> Result:
    rate = total.current_rps
    p95 = total.get_current_response_time_percentile(0.95) or 0
    return Result(math.ceil(rate), total.current_fail_per_sec / rate if rate else 0.0, p95)


def _stop(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.exit(code)
