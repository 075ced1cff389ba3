"""The command line: checks the target, then becomes Locust with the profile's file.

Exit codes: 0 the SLO was met, 1 it was not, 2 wrong usage, 3 the target does not answer.
"""

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from typing import NoReturn

from loadtest.catalogue import Profile, all_profiles, listing

DEFAULT_HOST = "http://127.0.0.1:8000"
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
TARGET_TIMEOUT = 5.0  # seconds

# The SLO decides about the exit code (loadtest.hooks), not single failed requests. The stop
# timeout lets users finish: a booking in flight would otherwise be made and never recorded.
COMMON = "--headless --only-summary --loglevel WARNING --stop-timeout 5 --exit-code-on-error 0"


def main(arguments: list[str]) -> int:
    """Run the profile that ``arguments`` name; return only when it cannot be started."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest",
        epilog="Other options go to Locust: --run-time 1m, --users 50, --bookings-file FILE ...",
    )
    parser.add_argument("profile", nargs="?", help="name of a profile; without it, they are listed")
    parser.add_argument("-H", "--host", default=os.environ.get("LOCUST_HOST") or DEFAULT_HOST)
    options, others = parser.parse_known_args(arguments)
    profile = all_profiles().get(options.profile)
    if profile is None:
        unknown = f"There is no profile {options.profile!r}. " if options.profile else ""
        return _say(f"{unknown}{parser.format_usage()}{listing()}", EXIT_USAGE)
    host = options.host.rstrip("/")
    if not host.startswith(("http://", "https://")):
        return _say(f"--host must start with http:// or https://, not {host!r}", EXIT_USAGE)
    problem = target_problem(host)
    if problem:
        return _say(f"No load sent: {problem}", EXIT_UNREACHABLE)
    return _become_locust(profile, host, others)


def target_problem(host: str) -> str | None:
    """Ask the target for one clinician; return what is wrong with the answer, or None."""
    url = f"{host}/api/v1/clinicians?limit=1"
    try:
        with urllib.request.urlopen(url, timeout=TARGET_TIMEOUT) as answer:  # noqa: S310
            items = json.load(answer)["items"]
    except urllib.error.HTTPError as error:
        return f"{url} answered {error.code}: the application is there, but not ready."
    except OSError as error:
        reason = getattr(error, "reason", error)
        return f"{host} does not answer ({reason}). Is the application running?"
    except (ValueError, KeyError, TypeError):
        return f"{url} did not answer with the clinic's JSON. Is this the right --host?"
    return None if items else f"{host} has no data yet: run 'flask seed' first."


def _become_locust(profile: Profile, host: str, others: list[str]) -> NoReturn:
    command = [sys.executable, "-m", "locust", *COMMON.split()]
    command += ["--config", str(profile.path), "--profile", profile.name, "--host", host, *others]
    os.execv(sys.executable, command)  # noqa: S606


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code
