"""``python -m loadtest run`` and its siblings, on a clinic that is only an address."""

from __future__ import annotations

import errno
import json
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from xml.etree import ElementTree

import pytest

from loadtest import scenario
from loadtest.lab import commands
from loadtest.lab.commands import exit_code
from loadtest.lab.ports import free_port
from loadtest.lab.run import Run
from loadtest.lab.runner import INTERRUPTED
from loadtest.lab.sources import Alert
from tests.loadtest.conftest import SCENARIO, Written, started
from tests.loadtest.fake_clinic import FakeClinic
from tests.loadtest.runs import MARKS, spike
from tests.waiting import eventually

WAITS = '[[fingerprint]]\nsays = "threads wait"\nseries = "waiting"\nat_least = 5\n'
PATIENT = "[slo]\np95_ms = 20000\nabort_after = 1\n"

Main = Callable[..., tuple[int, str]]


@pytest.fixture
def lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Main:
    """A command of the lab, in this process: its exit code, and what it said in one line."""

    def main(command: str, *arguments: str) -> tuple[int, str]:
        if command == "run" and "--runs" not in arguments:
            arguments = (*arguments, "--runs", str(tmp_path / "runs"))
        code = commands.main(command, arguments)
        said = capsys.readouterr()
        return code, " ".join((said.out + said.err).split())

    return main


def recorded(tmp_path: Path) -> Path:
    (directory,) = (tmp_path / "runs").iterdir()
    return directory


def test_a_run_is_recorded_judged_and_reported(lab: Main, written: Written, tmp_path: Path) -> None:
    path = written(SCENARIO.replace("seconds = 1", "seconds = 2") + WAITS + PATIENT)
    suite = tmp_path / "suite.xml"
    with FakeClinic(freeze_at=40, freeze_for=1.5) as clinic:
        code, said = lab(
            "run", path, "--target", clinic.host, "--metrics", f"{clinic.host}/metrics",
            "--seed", "7", "--junit", str(suite),
        )  # fmt: skip
    assert code == 0, said
    directory = recorded(tmp_path)
    assert directory.name.endswith("-mine")
    run = Run.load(directory)
    assert (run.scenario, run.target, run.seed, run.calm) == ("mine", "url", 7, False)
    assert run.results[-1].requests == 120
    assert run.results[-1].failed == 0
    assert (run.results[-1].longest or 0) > 1
    assert [mark.seen for mark in run.marks] == [True]
    assert run.alerts is None, "nobody could be asked"
    assert "SLO met" in run.slo
    assert "The pool was full for" in said
    assert "seen: threads wait (waiting in only: at least 5" in said
    assert f"Report: {directory / 'report.html'}" in said
    assert "The pool was full for" in (directory / "report.html").read_text()
    assert ElementTree.parse(suite).getroot().attrib["failures"] == "0"
    assert {"requests.csv", "load.log", "run.json"} <= {one.name for one in directory.iterdir()}


def test_a_calm_run_beside_closed_users_is_all_that_is_printed_as_json(
    written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = SCENARIO.replace("seconds = 1", "seconds = 0.5")
    more = '[[stage]]\nname = "more"\nseconds = 0.5\nrate = 400\n'
    with FakeClinic() as clinic:
        code = commands.main("run", [
            written(f"beside_closed = true{half}{more}{WAITS}"),
            "--target", clinic.host, "--calm", "--json",
            "--metrics", f"{clinic.host}/metrics", "--runs", str(tmp_path / "runs"),
        ])  # fmt: skip
    run = json.loads(capsys.readouterr().out)
    assert code == 1, "nobody waited"
    assert run["calm"] is True
    assert run["marks"][0]["seen"] is False
    assert run["results"][-1]["requests"] == 60, "the second stage is as the first"
    assert 0 < run["closed"][-1]["requests"] <= 66
    (directory,) = (tmp_path / "runs").iterdir()
    assert (directory / "closed" / "requests.csv").is_file()


def test_an_interrupted_run_is_kept_and_reported(written: Written, tmp_path: Path) -> None:
    path = written(SCENARIO.replace("seconds = 1", "seconds = 60") + PATIENT)
    with (
        FakeClinic() as clinic,
        started(
            "run", path, "--target", clinic.host, "--metrics", f"{clinic.host}/metrics",
            "--runs", str(tmp_path / "runs"),
        ) as process,
    ):  # fmt: skip
        eventually(lambda: len(clinic.paths) > 60, within=30)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert "This run ended early: it was interrupted" in output
    run = Run.load(recorded(tmp_path))
    assert run.ended_early == INTERRUPTED
    assert 60 <= run.results[-1].requests == clinic.paths.count("/lab/hold")
    assert (recorded(tmp_path) / "report.html").is_file()


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (spike(), 0),
        (replace(spike(), missed=True), 1),
        (replace(spike(), broken=["a booking is lost"]), 1),
        (replace(spike(), broken=[]), 0),
        (replace(spike(), marks=[MARKS[0], replace(MARKS[1], seen=False)]), 1),
        (replace(spike(), alerts=[], expected_alerts=["PoolWaiters"]), 1),
        (replace(spike(), alerts=None, expected_alerts=["PoolWaiters"]), 0),
        (replace(spike(), alerts=[Alert("A", 1)], expected_alerts=["A"]), 0),
        (replace(spike(), ended_early="the SLO was missed for 5 s: it was aborted."), 4),
        (replace(spike(), invalid="the generator was too slow"), 5),
        (replace(spike(), missed=True, invalid="too slow"), 5),
        (replace(spike(), missed=True, invalid="too slow", ended_early="it broke"), 4),
        (replace(spike(), missed=True, invalid="too slow", ended_early=INTERRUPTED), 130),
    ],
)
def test_the_exit_code_says_the_worst(run: Run, code: int) -> None:
    assert exit_code(run) == code


def test_an_unknown_scenario_is_told_with_those_that_there_are(lab: Main, tmp_path: Path) -> None:
    for command in ("run", "sweep"):
        code, said = lab(command, "tsunami")
        assert code == 2
        assert "no scenario 'tsunami'" in said
        assert ", ".join(scenario.names()) in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (WAITS.replace("waiting", "sorrow"), "no series 'sorrow'"),
        ('[fault]\nkind = "earthquake"\nduring = "only"', "no fault 'earthquake'"),
        ('[fault]\nkind = "leak"\nduring = "only"', "'connections'"),
        ("[slo]\np95 = 3", "mine.toml: "),
    ],
)
def test_what_is_wrong_in_a_file_is_told_before_anything_runs(
    lab: Main, written: Written, tmp_path: Path, more: str, said: str
) -> None:
    code, message = lab("run", written(SCENARIO + more), "--target", "embedded")
    assert code == 2
    assert said in message
    assert not (tmp_path / "runs").exists()


def test_a_target_that_does_not_answer_is_told(lab: Main) -> None:
    host = f"http://127.0.0.1:{free_port()}"
    code, said = lab("run", "steady", "--target", host, "--metrics", f"{host}/metrics")
    assert code == 2
    assert f"{host} does not answer" in said


@pytest.mark.parametrize("target", ["http://127.0.0.1:port", "http://", "http://[::1"])
def test_an_address_that_is_none_is_told(lab: Main, target: str) -> None:
    code, said = lab("run", "steady", "--target", target, "--metrics", target)
    assert code == 2
    assert target.rstrip("/") in said


def test_something_else_at_the_address_is_told(lab: Main) -> None:
    with greeting(b"5.5.5-MariaDB\x00") as host:
        code, said = lab("run", "steady", "--target", host, "--metrics", host)
    assert code == 2
    assert "the clinic's JSON" in said


@contextmanager
def greeting(line: bytes) -> Iterator[str]:
    """A server that greets everybody like this, as a database does."""

    def greet() -> None:
        client, _ = server.accept()
        with client:
            client.sendall(line + b"\n")
            client.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=greet)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_target_without_data_is_told(lab: Main) -> None:
    with FakeClinic(empty=True) as clinic:
        code, said = lab("run", "steady", "--target", clinic.host, "--metrics", clinic.host)
    assert code == 2
    assert "flask seed" in said


def test_a_run_that_cannot_begin_leaves_no_directory(lab: Main, tmp_path: Path) -> None:
    code, said = lab(
        "run", "steady", "--target", f"http://127.0.0.1:{free_port()}", "--metrics", "x"
    )
    assert code == 2, said
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_whose_directory_fills_up_is_kept_elsewhere(
    lab: Main, written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Run.save

    def full_once(run: Run, directory: Path) -> None:
        monkeypatch.setattr(Run, "save", save)
        raise OSError(errno.ENOSPC, "No space left on device", str(directory))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(Run, "save", full_once)
    (tmp_path / "elsewhere").mkdir()
    with FakeClinic() as clinic:
        code, said = lab(
            "run", written(SCENARIO), "--target", clinic.host, "--metrics", f"{clinic.host}/metrics"
        )
    assert "No space left on device" in said
    (kept,) = (tmp_path / "elsewhere").glob("poolsight-run-*")
    assert f"The run is kept in {kept}." in said
    assert code == exit_code(Run.load(kept))


def test_a_target_whose_pool_nobody_tells_of_is_told(lab: Main, tmp_path: Path) -> None:
    with FakeClinic() as clinic:
        code, said = lab("run", "steady", "--target", clinic.host)
        assert code == 2
        assert "--metrics" in said
        assert "--prometheus" in said
        for where in (f"{clinic.host}/api/v1/clinicians", f"http://127.0.0.1:{free_port()}/"):
            code, said = lab("run", "steady", "--target", clinic.host, "--metrics", where)
            assert code == 2
            assert f"{where} does not answer with metrics" in said


def test_metrics_without_a_pool_are_told(lab: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeClinic, "metrics", lambda _: "python_info 1\n")
    with FakeClinic() as clinic:
        where = f"{clinic.host}/metrics"
        code, said = lab("run", "steady", "--target", clinic.host, "--metrics", where)
        assert code == 2
        assert f"{where} has no db_client_connection_max" in said
        code, said = lab("run", "steady", "--target", clinic.host, "--prometheus", clinic.host)
        assert code == 2
        assert clinic.host in said


def test_a_target_that_is_none_is_told(lab: Main) -> None:
    code, said = lab("run", "steady", "--target", "kubernetes")
    assert code == 2
    assert "expected embedded, compose or an http URL" in said


@pytest.mark.parametrize("target", ["embedded", "http://127.0.0.1:8000"])
def test_a_scenario_that_needs_another_target_is_told(
    lab: Main, tmp_path: Path, target: str
) -> None:
    code, said = lab("run", "partition", "--target", target, "--metrics", target)
    assert code == 2
    assert f"partition needs the target compose, not {target}." in said
    assert not (tmp_path / "runs").exists()


def test_runs_that_cannot_be_written_are_told(lab: Main, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with FakeClinic() as clinic:
        code, said = lab(
            "run", "steady", "--target", clinic.host, "--metrics", f"{clinic.host}/metrics",
            "--runs", str(tmp_path / "file" / "runs"),
        )  # fmt: skip
    assert code == 2
    assert f"{tmp_path / 'file' / 'runs'}" in said.replace(" ", "")
    assert clinic.paths == []


@pytest.mark.parametrize("command", ["report", "compare", "advise"])
def test_a_directory_without_what_is_asked_for_is_told(
    lab: Main, tmp_path: Path, command: str
) -> None:
    directories = [str(tmp_path)] * (2 if command == "compare" else 1)
    code, said = lab(command, *directories)
    assert code == 2
    assert f"{tmp_path} holds no" in said


def test_the_surroundings_may_name_the_target(lab: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUST_HOST", "ftp://somewhere")
    code, said = lab("run", "steady")
    assert code == 2
    assert "--target ftp://somewhere: expected" in said


def test_a_sweep_measures_keeps_and_advises(lab: Main, tmp_path: Path) -> None:
    code, said = lab(
        "sweep", "spike", "--rate", "20", "--pool-size", "2", "--seconds", "2", "--rounds", "1",
        "--runs", str(tmp_path / "runs"), "--seed", "7",
    )  # fmt: skip
    assert "round 1 " in said, said
    assert "not enough data" in said.lower()
    again, repeated = lab("advise", str(recorded(tmp_path)))
    assert (again, repeated) == (code, said[said.index(repeated[:40]) :])
