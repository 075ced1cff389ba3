"""Images for the machine's Docker, on a disk that becomes its /var/lib/docker.

`docker load` takes an emulated processor a minute for 100 MB. Here Debian 13's Docker, the same as
in the machine, loads them in a container.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.vm.image import cache, make_disk
from tests.vm.programs import run
from tests.waiting import eventually

ENGINE = "poolsight-vm-docker:test"
DOCKERFILE = """FROM python:3.13.5-slim-trixie
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends docker.io docker-cli
"""
SIZE = "20G"  # sparse: the containers' volumes will be there as well


def docker_disk(images: Sequence[str]) -> Path:
    """Return a disk with these images of this computer's Docker, made where the cache has none."""
    known = run("docker", "image", "inspect", "--format", "{{.Id}} {{.RepoTags}}", *images)
    digest = hashlib.sha256((known + DOCKERFILE + SIZE).encode()).hexdigest()
    final = cache() / f"docker-{digest[:16]}.raw"
    if not final.exists():
        with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as directory:
            store, disk = Path(directory) / "docker", Path(directory) / "disk.raw"
            _load(images, store)
            make_disk(store, disk, SIZE)
            for old in cache().glob("docker-*.raw"):
                old.unlink()
            disk.rename(final)
    return final


def _load(images: Sequence[str], store: Path) -> None:
    build = ["docker", "build", "--quiet", "--tag", ENGINE, "-"]
    subprocess.run(build, input=DOCKERFILE, text=True, check=True, capture_output=True, timeout=600)
    # No network of its own: the machine's Docker makes them, by its own settings.
    engine = run(
        "docker", "run", "--detach", "--privileged", "--volume", f"{store}:/var/lib/docker", ENGINE,
        "dockerd", "--storage-driver=overlay2", "--bridge=none", "--iptables=false",
        "--ip6tables=false",
    ).strip()  # fmt: skip
    inside = ["docker", "exec", "--interactive", engine, "docker"]
    try:
        eventually(lambda: _answers([*inside, "info"]), within=60, every=0.5)
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved:
            load = [*inside, "load", "--quiet"]
            subprocess.run(load, stdin=saved.stdout, check=True, capture_output=True, timeout=900)
        run("docker", "stop", "--time", "60", engine)
    finally:
        run("docker", "rm", "--force", engine)


def _answers(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
