from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from loadtest import scenario
from loadtest.catalogue import all_profiles
from loadtest.command import main
from loadtest.lab.application import ROOT
from loadtest.lab.ports import free_port
from tests.loadtest.conftest import Result
from tests.loadtest.fake_clinic import FakeClinic

PROFILES = ["ramp", "slow-query", "soak", "spike", "steady", "stress"]


def test_every_profile_has_a_description_an_slo_and_files_that_exist() -> None:
    assert list(all_profiles()) == PROFILES
    for profile in all_profiles().values():
        lines = profile.path.read_text().splitlines()
        settings = dict(line.split(" = ") for line in lines if not line.startswith("#"))
        assert profile.description
        assert len(profile.description) < 80
        assert 0 <= float(settings["slo-max-fail-ratio"]) < 1
        assert float(settings["slo-p95-ms"]) > 0
        for path in settings["locustfile"].split(","):
            assert (ROOT / path).is_file()


def test_without_a_profile_they_are_listed(loadtest: Callable[..., Result]) -> None:
    result = loadtest()
    assert result.returncode == 2
    for profile in all_profiles().values():
        assert f"{profile.name} " in result.stderr
        assert profile.description in result.stderr


def test_unknown_profile_is_named_and_they_are_listed(loadtest: Callable[..., Result]) -> None:
    result = loadtest("tsunami")
    assert result.returncode == 2
    assert "no profile or command 'tsunami'" in result.stderr
    assert "run SCENARIO" in result.stderr
    assert "spike" in result.stderr


def test_scenarios_and_profiles_are_listed(loadtest: Callable[..., Result]) -> None:
    result = loadtest("list")
    assert result.returncode == 0
    for name in scenario.names():
        assert f"  {name} " in result.stdout
        assert scenario.load(name).title in result.stdout
    for profile in all_profiles().values():
        assert profile.description in result.stdout


def test_help_tells_the_commands_and_that_a_scenario_can_be_a_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"]) == 0
    usage = capsys.readouterr().err
    assert ".toml" in usage
    for command in ("load", "run", "sweep"):
        assert f"  {command} SCENARIO" in usage
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])
        assert "a .toml file" in " ".join(capsys.readouterr().out.split())


def test_unreachable_target_is_told_within_seconds(loadtest: Callable[..., Result]) -> None:
    began = time.monotonic()
    result = loadtest("steady", LOCUST_HOST=f"http://127.0.0.1:{free_port()}")
    assert time.monotonic() - began < 10
    assert result.returncode == 3
    assert "does not answer" in result.stderr
    assert "Traceback" not in result.stderr


def test_host_without_scheme_is_a_usage_error(loadtest: Callable[..., Result]) -> None:
    result = loadtest("steady", "--host", "127.0.0.1:8000")
    assert result.returncode == 2
    assert "http://" in result.stderr


def test_target_without_data_is_told(loadtest: Callable[..., Result]) -> None:
    with FakeClinic(empty=True) as clinic:
        result = loadtest("steady", "--host", clinic.host)
    assert result.returncode == 3
    assert "flask seed" in result.stderr


def test_bookings_file_that_cannot_be_written(loadtest: Callable[..., Result]) -> None:
    with FakeClinic() as clinic:
        result = loadtest(
            "steady", "--host", clinic.host, "--bookings-file", "/no/such/directory/b"
        )
    assert result.returncode == 2
    assert "--bookings-file" in result.stderr
    assert "Traceback" not in result.stderr


def test_metrics_port_that_is_taken(loadtest: Callable[..., Result]) -> None:
    with FakeClinic() as clinic:
        taken = clinic.host.removeprefix("http://")
        result = loadtest("steady", "--host", clinic.host, LOADTEST_METRICS_BIND=taken)
    assert result.returncode == 2
    assert f"LOADTEST_METRICS_BIND={taken}" in result.stderr
    assert "Traceback" not in result.stderr
