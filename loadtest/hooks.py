"""What this project adds to Locust. Every locustfile in ``users/`` imports it.

Options (also as lines of a profile's .conf): the SLO and the file of acknowledged bookings.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators

import atexit
import contextlib
import os
import signal
import sys
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

from loadtest.bookings import BookingLog
from loadtest.command import EXIT_UNREACHABLE, EXIT_USAGE
from loadtest.directory import Directory
from loadtest.metrics import DEFAULT_BIND, LoadMetrics
from loadtest.slo import Result, Slo, breaches, verdict

PROGRESS_EVERY = 5.0  # seconds


def whole_milliseconds(response_time: float) -> int:
    """Keep response times exact; Locust would make 1449 ms 1400 ms, too coarse to judge by."""
    return round(response_time)


locust.stats.bucket_response_time = whole_milliseconds


class Run:
    """What the users of this process share; filled before the first user starts."""

    directory: Directory
    bookings = BookingLog(None)


@events.init_command_line_parser.add_listener
def add_options(parser: LocustArgumentParser) -> None:
    """Declare the options of this project."""
    group = parser.add_argument_group("Clinic")
    group.add_argument("--slo-max-fail-ratio", type=float, default=0.01, help="0 to 1")
    group.add_argument("--slo-p95-ms", type=float, default=1000.0, help="milliseconds")
    group.add_argument(
        "--bookings-file",
        type=Path,
        env_var="LOADTEST_BOOKINGS_FILE",
        help="append every booking answered 201 to this JSON lines file",
    )


@events.init.add_listener
def prepare(environment: Environment, runner: Runner, **_others: Any) -> None:
    """Open the bookings file, learn the target's ids and serve the metrics."""
    options = _options(environment)
    if isinstance(runner, MasterRunner):
        return
    try:
        Run.bookings = BookingLog(options.bookings_file)
    except OSError as error:
        _stop(f"--bookings-file cannot be written: {error}", EXIT_USAGE)
    try:
        Run.directory = Directory.learn(str(environment.host))
    except (OSError, ValueError) as error:
        _stop(f"No load sent: {environment.host} could not be read: {error}", EXIT_UNREACHABLE)
    metrics = LoadMetrics(options.profile or "none", lambda: runner.user_count)
    environment.events.request.add_listener(metrics.observe)
    _serve(metrics, os.environ.get("LOADTEST_METRICS_BIND") or DEFAULT_BIND)


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
def show_progress(environment: Environment, **_others: Any) -> None:
    """Print one line every few seconds."""
    runner = environment.runner
    if runner and not isinstance(runner, WorkerRunner):
        sys.stderr.write(f"{_options(environment).profile} on {environment.host}\n")
        gevent.spawn(_progress, environment.stats.total, runner)


@events.quitting.add_listener
def judge(environment: Environment, **_others: Any) -> None:
    """Compare the run with its SLO; a miss sets the exit code 1."""
    if isinstance(environment.runner, WorkerRunner) or environment.process_exit_code:
        return
    options, total = _options(environment), environment.stats.total
    slo = Slo(options.slo_max_fail_ratio, options.slo_p95_ms)
    p95 = total.get_response_time_percentile(0.95) or 0
    result = Result(total.num_requests, total.fail_ratio, p95)
    missed = breaches(slo, result)
    environment.process_exit_code = 1 if missed else 0
    # Locust prints its tables after this event; the verdict belongs below them.
    atexit.register(sys.stderr.write, verdict(slo, result, missed))


def _options(environment: Environment) -> Namespace:
    options: Namespace | None = environment.parsed_options
    assert options  # noqa: S101 - always there on the command line
    return options


def _end(runner: Runner) -> None:
    with contextlib.suppress(OSError):  # whoever read the output may be gone
        sys.stderr.write("Interrupted: what follows is the result so far.\n")
    if runner.environment.shape_class and runner.shape_greenlet:
        runner.shape_greenlet.kill(block=False)  # Locust then ends as after the last stage
    else:
        runner.quit()


def _serve(metrics: LoadMetrics, bind: str) -> None:
    try:
        metrics.serve(bind)
    except (OSError, ValueError) as error:
        _stop(f"LOADTEST_METRICS_BIND={bind}: metrics cannot be served: {error}", EXIT_USAGE)


def _progress(total: StatsEntry, runner: Runner) -> None:
    while True:
        gevent.sleep(PROGRESS_EVERY)
        elapsed = total.last_request_timestamp or total.start_time
        sys.stderr.write(
            f"{elapsed - total.start_time:5.0f} s  {runner.user_count:4} users  "
            f"{total.current_rps:5.0f} requests/s  {total.current_fail_per_sec:4.0f} failed/s  "
            f"p95 {total.get_current_response_time_percentile(0.95) or 0:5.0f} ms\n"
        )


def _stop(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.exit(code)
