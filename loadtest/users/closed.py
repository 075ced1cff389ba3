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


class Closed(FastHttpUser):
    """One of ``--users``, who share the scenario's rate."""

    connection_timeout = 3.0
    network_timeout = 15.0

    @task
    def turns(self) -> None:
        """Ask, wait for the answer, and for the next turn."""
        chance = Random()  # noqa: S311 - traffic, not secrets
        users = max(1, options_of(self.environment).generators)
        while self._state != LOCUST_STATE_STOPPING:
            turn = time.time()
            stage = Run.scenario.stage_at(turn - Run.began)
            if stage is None:
                break
            perform(choice(stage.mix, chance), Clinic(self.client), Run.directory)
            period = users / stage.rate if stage.rate else 0.1
            gevent.sleep(max(0.0, turn + period - time.time()))
        raise StopUser
