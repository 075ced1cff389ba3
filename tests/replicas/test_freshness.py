"""Data that counts as fresh is never older than allowed, whatever source and replica do."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.freshness import Freshness, Sample

MAX_LAG = 5.0
SERVERS = st.sampled_from(["one", "two"])


class Replication(RuleBasedStateMachine):
    """A source that commits, two replicas that follow when they like, and who asks them.

    The n-th transaction commits at ``commits[n - 1]``. What a server has executed is how many.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.commits: list[float] = []
        self.applied = {"one": 0, "two": 0}
        self.freshness = Freshness(MAX_LAG, clock=lambda: self.now)

    @rule(seconds=st.floats(0.01, 8))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def source_commits(self) -> None:
        self.commits.append(self.now)

    @rule(server=SERVERS, share=st.floats(0, 1))
    def replica_follows(self, server: str, share: float) -> None:
        behind = len(self.commits) - self.applied[server]
        self.applied[server] += round(share * behind)

    @rule()
    def source_is_asked(self) -> None:
        if self.freshness.question_is_due("source"):
            self.freshness.sampled(Sample(self.now, f"{len(self.commits)}"))

    @rule(server=SERVERS)
    def replica_is_asked(self, server: str) -> None:
        if self.freshness.question_is_due(server):
            self._ask(server)

    @precondition(lambda self: self.commits)
    @rule(server=SERVERS)
    def replica_that_follows_at_once_is_fresh(self, server: str) -> None:
        self.now += MAX_LAG
        self.freshness.sampled(Sample(self.now, f"{len(self.commits)}"))
        self.applied[server] = len(self.commits)
        self._ask(server)
        assert self.freshness.is_fresh(server)

    @invariant()
    def fresh_data_is_young(self) -> None:
        for server, applied in self.applied.items():
            missing = self.commits[applied:]
            if self.freshness.is_fresh(server) and missing:
                assert self.now - missing[0] <= MAX_LAG

    @invariant()
    def questions_stay_short(self) -> None:
        assert len(self.freshness.samples()) <= 7

    def _ask(self, server: str) -> None:
        for sample in self.freshness.samples():
            if int(sample.gtids) <= self.applied[server]:
                self.freshness.proved(server, sample.moment)
                return


TestReplication: Any = Replication.TestCase


def test_source_without_gtids_proves_nothing() -> None:
    freshness = Freshness(MAX_LAG)
    freshness.sampled(Sample(0.0, ""))
    assert freshness.samples() == ()
