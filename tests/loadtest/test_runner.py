"""Runs in which something breaks, on a clinic that can be frozen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from loadtest import scenario
from loadtest.lab.commands import exit_code
from loadtest.lab.errors import LabError
from loadtest.lab.run import Run
from loadtest.lab.runner import Runner
from loadtest.lab.targets import Remote
from tests.loadtest.conftest import Written
from tests.loadtest.fake_clinic import FakeClinic

STALL = """
title = "Everything stands still for a while"
arrivals = "constant"

[[stage]]
name = "before"
seconds = 0.5
rate = 40
mix = {"GET /lab/hold" = 1}

[[stage]]
name = "frozen"
seconds = 1
rate = 40
mix = {"GET /lab/hold" = 1}

[[stage]]
name = "after"
seconds = 0.5
rate = 40
mix = {"GET /lab/hold" = 1}

[fault]
kind = "freeze"
during = "frozen"
who = "application"

[slo]
p95_ms = 5000
"""


class Frozen(Remote):
    """A fake clinic by its address, which can be frozen, too."""

    def __init__(self, clinic: FakeClinic) -> None:
        super().__init__(clinic.host, f"{clinic.host}/metrics", None)
        self.clinic = clinic
        self.says = ""

    @contextmanager
    def frozen(self, who: str) -> Iterator[None]:
        assert who == "application"
        self.clinic.freeze()
        try:
            yield
        finally:
            self.clinic.thaw()

    def problem(self) -> str:
        return self.says if len(self.clinic.paths) > 10 else ""


def run(target: Remote, path: str, directory: Path) -> Run:
    """Run the scenario of this file, without a terminal."""
    console = Console(file=StringIO())
    directory.mkdir()
    with target:
        wanted = scenario.load(path)
        return Runner(console, target, wanted, directory, seed=1, calm=False).run()


def test_a_fault_is_there_in_its_stage_and_undone_after_it(
    written: Written, tmp_path: Path
) -> None:
    with FakeClinic() as clinic:
        found = run(Frozen(clinic), written(STALL), tmp_path / "run")
    assert found.ended_early == ""
    assert (found.fault, found.fault_bounds) == ("freeze", [0.5, 1.5])
    before, frozen, after, whole = found.results
    assert [one.requests for one in found.results] == [20, 40, 20, 80]
    assert whole.failed == 0, "everybody was answered in the end"
    assert (frozen.longest or 0) > 0.5 > (before.p50 or 0)
    assert (after.p50 or 0) < (frozen.p50 or 0)
    assert found.closed == []


def test_a_fault_that_the_target_cannot_have_ends_the_run_early_and_is_told(
    written: Written, tmp_path: Path
) -> None:
    path = written(STALL)
    with FakeClinic() as clinic:
        target = Remote(clinic.host, f"{clinic.host}/metrics", None)
        found = run(target, path, tmp_path / "run")
    assert "cannot freeze its application" in found.ended_early
    assert found.results[0].requests == 20
    assert found.results[-1].requests < 80
    assert found.closed == []
    assert exit_code(found) == 4


def test_a_target_that_ends_ends_the_run(written: Written, tmp_path: Path) -> None:
    with FakeClinic() as clinic:
        target = Frozen(clinic)
        target.says = "the application ended."
        found = run(target, written(STALL), tmp_path / "run")
    assert found.ended_early == "the application ended."
    assert 10 < found.results[-1].requests < 80


def test_a_load_that_cannot_begin_is_told_with_its_last_words(
    written: Written, tmp_path: Path
) -> None:
    path = written(STALL)
    with FakeClinic() as clinic:
        target = Frozen(clinic)
        with target:
            wanted = scenario.load(path)
            Path(path).unlink()
            runner = Runner(Console(file=StringIO()), target, wanted, tmp_path, seed=1, calm=False)
            with pytest.raises(LabError, match="No traffic was sent") as caught:
                runner.run()
    assert "no scenario" in str(caught.value)
    assert clinic.paths == []
