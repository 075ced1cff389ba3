"""vm-setup/ in the clouds without a cloud: every change fails once, and az reads every command.

The stand-ins of tests/vm_setup play Azure and GCP. Each change of `up` fails before it is made and
half-way; running it again must end in the same, and `down` must leave nothing. Then the real
azure-cli, which nobody logged in, parses what the stand-in was told. gcloud cannot be had, nor az's
extensions: their commands are named as not validated.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from tests.drills import record
from tests.vm_setup.clouds import DRAFTS, ROOT, Cloud, failures

AZ = ROOT / ".venv" / "azure" / "bin" / "az"
SSH_FROM = "203.0.113.7/32"
LOGIN = "az login"
WRONG = ["vm", "create", "--resource-group", "poolsight", "--name", "poolsight", "--no-such-option"]
EXTENSION = ["network", "bastion"]  # az's extensions are on no package index
DRAFT_OPTIONS = [f"--{name}" for name in DRAFTS]  # their files are gone by now


def main() -> None:
    """Fail, parse and record."""
    with tempfile.TemporaryDirectory() as directory:
        failed = {kind: _failures(kind, Path(directory)) for kind in ("azure", "gcp")}
        parsed, refused, extension = _parsed(Path(directory))
        gcloud = _commands("gcp", Path(directory))
    bad = [
        one for tried in failed.values() for how in tried.values() for one in how.values() if one
    ]
    findings = {
        "changes that failed in turn, and what came of it": failed,
        "commands that az parsed": len(parsed),
        "commands that az refused": refused,
        "not validated, of az's extension bastion": extension,
        "not validated, of gcloud": [" ".join(command) for command in gcloud],
    }
    record("clouds", bool(parsed) and not refused and not bad, f"azure-cli {_version()}", findings)


def _failures(kind: str, directory: Path) -> dict[str, dict[str, list[int]]]:
    """Each change of `up` fails, before it is made and half-way."""
    with Cloud.of(kind, directory / kind) as cloud:
        assert cloud.make()
        numbers = range(1, len(cloud.changes) + 1)
        return {
            f"{how}, {len(numbers)} changes": failures(cloud, how, numbers)
            for how in ("before", "half")
        }


def _parsed(directory: Path) -> tuple[list[str], list[str], list[str]]:
    """Have az read every command: those that it parses, that it refuses, and its extension's."""
    assert _az(WRONG, directory).returncode == 2, "az took an option that does not exist"
    parsed: list[str] = []
    refused: list[str] = []
    extension: list[str] = []
    for command in _commands("azure", directory):
        told = " ".join(command)
        if command[:2] == EXTENSION:
            extension.append(told)
            continue
        said = _az(command, directory)
        fine = LOGIN in said.stderr or command[0] == "extension"
        (parsed if fine else refused).append(told if fine else f"{told}: {said.stderr[-500:]}")
    return parsed, refused, extension


def _commands(kind: str, directory: Path) -> list[list[str]]:
    """All that a cloud is told from up to down, with and without a public address; each once."""
    found: dict[str, list[str]] = {}
    for ssh_from in ("", SSH_FROM):
        with Cloud.of(kind, directory / f"{kind}{bool(ssh_from)}", ssh_from) as cloud:
            for work in (
                cloud.up,
                lambda c=cloud: c.down("--yes"),
                lambda c=cloud: c.down("--yes", "--with-backups"),
            ):
                done = work()
                assert done.returncode == 0, done.stderr
            lasting = [_lasting(command) for command, _ in cloud.account.commands]
        found |= {" ".join(command): command for command in lasting}
    return list(found.values())


def _lasting(command: list[str]) -> list[str]:
    return [
        "text" if before in DRAFT_OPTIONS else one
        for before, one in zip(["", *command], command, strict=False)
    ]


def _az(arguments: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AZURE_CONFIG_DIR": str(directory / "az"),
                   "AZURE_CORE_COLLECT_TELEMETRY": "no",
                   "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no"}  # fmt: skip
    return subprocess.run(
        [AZ, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def _version() -> str:
    found = subprocess.run(
        [AZ.parent / "pip", "show", "azure-cli"], capture_output=True, text=True, check=True
    )
    return next(
        line.split()[1] for line in found.stdout.splitlines() if line.startswith("Version:")
    )


if __name__ == "__main__":
    main()
