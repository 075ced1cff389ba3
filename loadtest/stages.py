"""What the shapes do, as data: also for those who show or report a run without Locust."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A part of a run: its length in seconds, its users, and how many change each second."""

    name: str
    seconds: float
    users: int
    rate: float


SPIKE = (
    Stage("base", 10, 8, 8),
    Stage("spike", 25, 200, 100),
    Stage("recovery", 25, 8, 100),
)
STRESS = tuple(Stage(f"{users} users", 30, users, 40) for users in range(40, 401, 40))


def stage_at(stages: Sequence[Stage], seconds: float) -> Stage | None:
    """Return the stage that runs at this time since the start, or None after the last."""
    end = 0.0
    for stage in stages:
        end += stage.seconds
        if seconds < end:
            return stage
    return None
