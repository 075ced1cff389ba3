"""A load shape that follows a list of stages."""

# mypy: allow-untyped-calls

from collections.abc import Sequence

from locust import LoadTestShape

from loadtest.stages import Stage, stage_at


class StagedShape(LoadTestShape):
    """Follows ``stages``; abstract, so that Locust does not take it for the shape to run."""

    abstract = True
    stages: Sequence[Stage] = ()

    def tick(self) -> tuple[int, float] | None:
        """Return the users wanted now and their rate of change; None ends the run."""
        stage = stage_at(self.stages, self.get_run_time())
        return (stage.users, stage.rate) if stage else None
