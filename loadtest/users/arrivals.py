"""Open arrivals: each request is sent when it is due, whether or not anybody has answered.

Locust's users are closed whatever their wait time is. Here one user is a generator: it keeps a
schedule, and a greenlet for each request. Several users share the rate, on several workers too.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators

import time
from http.cookiejar import DefaultCookiePolicy
from itertools import count
from random import Random

import gevent
from gevent.pool import Pool
from locust import FastHttpUser, task
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_STOPPING

from loadtest.actions import choice, perform
from loadtest.arrivals import due_times
from loadtest.clinic import Clinic
from loadtest.hooks import Run, options_of
from loadtest.scenario import Stage

MOST_IN_FLIGHT = 3000
LONGEST_SLEEP = 0.5  # seconds between two looks at whether the run ends


class Generator(FastHttpUser):
    """Sends a share of the scenario's arrivals."""

    concurrency = MOST_IN_FLIGHT  # connections; fewer would make it a closed user in disguise
    connection_timeout = 3.0
    network_timeout = 15.0  # as long as nginx waits for the application
    _numbers = count()

    @task
    def send(self) -> None:
        """Send every request when it is due, wait for the last answers, and stop."""
        options = options_of(self.environment)
        number, generators = next(self._numbers), max(1, options.generators)
        seed = options.seed + 7919 * (number + 1_000 * Run.worker)
        self._chance = Random(seed)  # noqa: S311 - traffic, not secrets
        # Each arrival is somebody else: one jar would make them all the one who has just written.
        self.client.cookiejar.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._in_flight = Pool(options.most_in_flight)
        Run.measures.in_flight_of(lambda: len(self._in_flight))
        schedule = due_times(Run.scenario.stages, Run.scenario.arrivals, seed, 1 / generators)
        for due, stage in schedule:
            if not self._sleep_until(Run.began + due):
                break
            self._arrive(Run.began + due, stage)
        self._in_flight.join()
        raise StopUser

    def _sleep_until(self, due: float) -> bool:
        """Return when *due* has come; false when the run ends before."""
        while (left := due - time.time()) > 0 and self._state != LOCUST_STATE_STOPPING:
            gevent.sleep(min(left, LONGEST_SLEEP))
        return bool(self._state != LOCUST_STATE_STOPPING)

    def _arrive(self, due: float, stage: Stage) -> None:
        action = choice(stage.mix, self._chance)
        late = max(0.0, time.time() - due)
        if self._in_flight.full():
            Run.dropped += 1
            Run.measures.dropped(late)
        else:
            Run.measures.arrived(late)
            self._in_flight.spawn(self._perform, action, due)

    def _perform(self, action: str, due: float) -> None:
        perform(action, Clinic(self.client, due, Run.scenario.retries), Run.directory)
