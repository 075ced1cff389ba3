"""No secret where it does not belong, and in each container its own and no other."""

from __future__ import annotations

import json

import pytest

from tests.stack.stack import Stack, docker, inspect

RUNNING = {
    "mysql": ("999", {"ca.pem", "server_cert.pem", "server_key.pem", "root_password", "root.cnf",
                      "exporter.cnf", "app_password", "migrator_password", "exporter_password",
                      "replicator_password"}),
    "app": ("10001", {"ca.pem", "db_password", "secret_key"}),
    "mysqld-exporter": ("65534", {"ca.pem", "exporter.cnf"}),
    "nginx": ("101", set()),
    "prometheus": ("65534", set()),
    "grafana": ("472", {"admin_password"}),
}  # fmt: skip
ON_DEMAND = {"migrate": ("10001", {"ca.pem", "db_password"}), "loadtest": ("10001", set())}
LIST_READABLE = (
    "id -u; for f in /run/secrets/*/* /state/* /volumes/*/*; do "
    '[ -f "$f" ] && [ -r "$f" ] && echo "${f##*/}"; done; true'
)
READ_STATE = (
    "import json, pathlib; "
    "print(json.dumps({p.name: p.read_text() for p in pathlib.Path('/state').iterdir()}))"
)


@pytest.fixture(scope="module")
def secrets(stack: Stack) -> dict[str, str]:
    """Every secret of this stack: passwords, and a line of each private key."""
    masters: dict[str, str] = json.loads(
        stack.compose(
            "run", "--rm", "--no-TTY", "--entrypoint", "python", "init", "-c", READ_STATE
        ).stdout
    )
    return {
        name: text.splitlines()[1] if "BEGIN" in text else text for name, text in masters.items()
    }


@pytest.mark.parametrize("service", RUNNING)
def test_a_running_container_reads_its_own_secrets_only(stack: Stack, service: str) -> None:
    if service == "grafana" and not stack.grafana:
        pytest.skip("Grafana is left out")
    uid, *readable = stack.shell(service, LIST_READABLE).split()
    assert (uid, set(readable)) == RUNNING[service]


@pytest.mark.parametrize("service", ON_DEMAND)
def test_a_one_shot_container_reads_its_own_secrets_only(stack: Stack, service: str) -> None:
    run = ("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "sh")
    uid, *readable = stack.compose(*run, service, "-c", LIST_READABLE).stdout.split()
    assert (uid, set(readable)) == ON_DEMAND[service]


def test_secrets_are_long_and_differ(secrets: dict[str, str]) -> None:
    assert len(secrets) == 9
    assert len(set(secrets.values())) == len(secrets)
    assert min(len(text) for text in secrets.values()) >= 32


def test_docker_and_the_logs_show_no_secret(stack: Stack, secrets: dict[str, str]) -> None:
    containers = docker("ps", "--all", "--quiet", "--filter", project(stack)).split()
    images = sorted({container["Image"] for container in inspect(*containers)})
    shown = {
        "docker inspect": docker("inspect", *containers),
        "image inspect": docker("image", "inspect", *images),
        "image history": "".join(docker("history", "--no-trunc", image) for image in images),
        "logs": stack.compose("logs", "--no-color").stdout,
        "config": stack.compose("config").stdout,
        "process list": stack.compose("top").stdout,
    }
    found = [
        (place, name) for place, text in shown.items() for name in secrets if secrets[name] in text
    ]
    assert found == []


def test_no_file_of_an_image_is_a_secret(stack: Stack) -> None:
    files = stack.shell("app", "find /srv -type f -not -path '*/__pycache__/*'").split()
    assert files
    assert {path.split("/")[2] for path in files} == {"app", "migrations"}


def test_init_again_completes_what_is_missing_and_changes_nothing_else(stack: Stack) -> None:
    digest = "cd /run/secrets/clinic && sha256sum * | sort"
    before = [stack.shell(service, digest) for service in ("mysql", "app")]
    # What a run leaves that was killed between two files, and in the middle of one.
    broken = "cd /volumes/app; rm db_password; echo x >.ca.pem.draft; touch /state/.server.draft"
    stack.compose("run", "--rm", "--no-TTY", "--entrypoint", "sh", "init", "-c", broken)
    stack.compose("run", "--rm", "--no-TTY", "init")
    assert [stack.shell(service, digest) for service in ("mysql", "app")] == before
    assert ".draft" not in stack.shell("app", "ls -A /run/secrets/clinic")


def test_one_command_prints_grafanas_password(stack: Stack, secrets: dict[str, str]) -> None:
    show = ("run", "--rm", "--no-TTY", "init", "show", "grafana_admin_password")
    assert stack.compose(*show).stdout.strip() == secrets["grafana_admin_password"]


def project(stack: Stack) -> str:
    """Return Docker's filter for this stack."""
    return f"label=com.docker.compose.project={stack.project}"
