"""The same scenario as closed users send it, to show what those hide.

Each waits for its answer, and then until its next turn; a turn that was missed is not made up,
as with Locust's ``constant_throughput``.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators

import time
from random import Random

import gevent
from locust import FastHttpUser, task
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_STOPPING

from loadtest.actions import choice, perform
from loadtest.clinic import Clinic
from loadtest.hooks import Run, options_of

LOOK = 0.1  # seconds at most between two looks at the rate


class Closed(FastHttpUser):
    """One of ``--users``, who share the scenario's rate."""

    connection_timeout = 3.0
    network_timeout = 15.0

    @task
    def turns(self) -> None:
        """Ask, wait for the answer, and for the next turn."""
        chance = Random()  # noqa: S311 - traffic, not secrets
        users = max(1, options_of(self.environment).generators)
        gevent.sleep(max(0.0, Run.began - time.time()))
        # The share of the next turn that has come; by chance, or all would ask at once.
        before, turn = Run.began, chance.random()
        while self._state != LOCUST_STATE_STOPPING:
            now = time.time()
            stage = Run.scenario.stage_at(now - Run.began)
            if stage is None:
                break
            rate = Run.scenario.rate_at(now - Run.began) / users
            turn, before = turn + rate * (now - before), now
            if rate and turn >= 1:
                turn = 0.0
                perform(choice(stage.mix, chance), Clinic(self.client), Run.directory)
            else:
                gevent.sleep(min(LOOK, (1 - turn) / rate) if rate else LOOK)
        raise StopUser
