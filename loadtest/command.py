"""The command line: ``python -m loadtest``.

Exit codes are in :mod:`loadtest.exits`.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from loadtest import scenario
from loadtest.catalogue import all_profiles, listing
from loadtest.exits import EXIT_UNREACHABLE, EXIT_USAGE
from loadtest.send import become_locust, profile_options, scenario_options, target_problem

DEFAULT_HOST = "http://127.0.0.1:8000"

USAGE = """\
usage: python -m loadtest COMMAND ...

  list                     the scenarios and the profiles
  run SCENARIO             send it, record it, judge it, report it
  load SCENARIO            send its traffic only
  report RUN_DIRECTORY     make the report of a recorded run again
  compare RUN RUN          what differs, and whether that is more than noise
  sweep SCENARIO           try its traffic with many settings of the pool, and advise
  advise SWEEP_DIRECTORY   what to set the pool to, and why; or --prometheus URL
  PROFILE                  headless Locust with that profile

SCENARIO is one that `list` lists, or the path of a .toml file.
COMMAND --help tells its options.
"""


def main(arguments: list[str]) -> int:
    """Do what ``arguments`` say; do not return where this becomes Locust."""
    command, others = (arguments[0], arguments[1:]) if arguments else ("", [])
    if command in ("", "-h", "--help"):
        return _say(f"{USAGE}\n{listing()}", 0 if command else EXIT_USAGE)
    if command == "list":
        return _list()
    if command == "load":
        return _load(others)
    if command in ("run", "report", "compare", "sweep", "advise"):
        from loadtest.lab import commands  # with all that a report needs

        return commands.main(command, others)
    return _profile(arguments)


def _list() -> int:
    titles = {name: scenario.load(name).title for name in scenario.names()}
    width = max(map(len, titles))
    lines = [f"  {name:<{width}}  {title}" for name, title in titles.items()]
    sys.stdout.write("\n".join(["Scenarios:", *lines, "", listing()]) + "\n")
    return 0


def _profile(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest",
        epilog="Other options go to Locust: --run-time 1m, --users 50, --bookings-file FILE ...",
    )
    parser.add_argument("profile", help="name of a profile")
    add_host(parser)
    options, others = parser.parse_known_args(arguments)
    profile = all_profiles().get(options.profile)
    if profile is None:
        text = f"There is no profile or command {options.profile!r}.\n{USAGE}\n{listing()}"
        return _say(text, EXIT_USAGE)
    return _send(options.host, [*profile_options(profile), *others])


def _load(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest load",
        epilog="Other options go to Locust: --seed 7, --requests-file FILE, --master ...",
    )
    parser.add_argument("scenario", help="one that `list` lists, or a .toml file")
    parser.add_argument("--closed", action="store_true", help="by closed users instead")
    parser.add_argument("--calm", action="store_true", help="leave out what goes wrong")
    parser.add_argument("--processes", type=int, default=1, help="of this host that share the rate")
    parser.add_argument("--generators", type=int, help="with --master: the number of workers")
    add_host(parser)
    options, others = parser.parse_known_args(arguments)
    try:
        found = scenario.load(options.scenario)
        found = found.calm() if options.calm else found
    except scenario.ScenarioError as error:
        return _say(str(error), EXIT_USAGE)
    generators = options.generators or options.processes
    sending = scenario_options(found, closed=options.closed, generators=generators)
    if options.processes > 1:
        sending += ["--processes", str(options.processes)]
    sending += ["--calm"] * options.calm
    return _send(options.host, [*sending, *others])


def add_host(parser: argparse.ArgumentParser) -> None:
    """Declare the option that names the target."""
    parser.add_argument("-H", "--host", default=os.environ.get("LOCUST_HOST") or DEFAULT_HOST)


def _send(host: str, options: Sequence[str]) -> int:
    host = host.rstrip("/")
    if not host.startswith(("http://", "https://")):
        return _say(f"--host must start with http:// or https://, not {host!r}", EXIT_USAGE)
    problem = target_problem(host)
    if problem:
        return _say(f"No load sent: {problem}", EXIT_UNREACHABLE)
    return become_locust(host, options)


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"{text.rstrip()}\n")
    return code
