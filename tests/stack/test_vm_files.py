"""What vm-setup/ puts on a machine is valid to the programs that read it there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.stack.stack import ROOT

SETUP = ROOT / "vm-setup"
IMAGE = "poolsight-vm-files:test"
# Debian's own programs; nothing of it runs as a service.
DOCKERFILE = """FROM python:3.13.5-slim-trixie
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \
    cloud-init logrotate nftables openssh-server systemd
RUN mkdir -p /run/sshd && ssh-keygen -A
"""


@pytest.fixture(scope="module")
def tools() -> str:
    """An image that has them."""
    build = ["docker", "build", "--quiet", "--tag", IMAGE, "-"]
    subprocess.run(build, input=DOCKERFILE, text=True, check=True, capture_output=True)
    return IMAGE


def heredoc(script: str, path: str) -> str:
    """What `script` writes to `path`."""
    found = re.search(
        rf"^\s*file {re.escape(path)} .*?<<'?CONF'?\n(.*?)^CONF$",
        (SETUP / "host" / script).read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{script} writes no {path}"
    text = found[1].replace("$HOST_SUBNET", "172.30.0.0/16")
    return text.replace("$HOST_BRIDGE", "172.30.0.1")


def said(image: str, command: str, *options: str, text: str = "") -> str:
    """Run a shell command in a container; return what it said, and fail when it fails."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--interactive", *options, "--entrypoint", "sh", image,
         "-ec", command],
        input=text, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_user_data(tools: str) -> None:
    data = (SETUP / "cloud-init.yaml").read_text().replace("@USER@", "ops")
    data = data.replace("@SSH_KEY@", "ssh-ed25519 AAAA somebody")
    assert "Valid schema" in said(tools, "cat > /tmp/u && cloud-init schema -c /tmp/u", text=data)
    wrong = data + "\nlock_passwd: maybe\nruncmdd: []\n"
    with pytest.raises(AssertionError):
        said(tools, "cat > /tmp/u && cloud-init schema -c /tmp/u", text=wrong)


def test_sshd(tools: str) -> None:
    conf = heredoc("base.sh", "/etc/ssh/sshd_config.d/10-poolsight.conf")
    command = "cat > /etc/ssh/sshd_config.d/10-poolsight.conf && sshd -t && sshd -T"
    effective = said(tools, command, text=conf)
    assert {"passwordauthentication no", "permitrootlogin no"} <= set(effective.splitlines())


def test_firewall(tools: str) -> None:
    rules = heredoc("firewall.sh", "/etc/poolsight/firewall.nft")
    said(tools, "nft --check --file -", "--cap-add", "NET_ADMIN", text=rules)


def test_log_rotation(tools: str) -> None:
    rotation = (SETUP / "host/mysql/logrotate").read_text()
    command = "useradd mysql; cat > /tmp/l && chmod 644 /tmp/l && logrotate --debug /tmp/l"
    assert "error:" not in said(tools, command, text=rotation)


@pytest.mark.parametrize("job", ["dump", "binlogs", "drill"])
def test_units(tools: str, job: str) -> None:
    unit = (SETUP / "host/backup/job.service").read_text()
    unit = unit.replace("@PROJECT@", "/opt/poolsight").replace("@JOB@", job)
    command = (
        f"touch /usr/bin/python3 && chmod +x /usr/bin/python3 && cat > /tmp/poolsight-{job}.service"
        f" && systemd-analyze verify --recursive-errors=no /tmp/poolsight-{job}.service"
    )
    said(tools, command, text=unit)


def test_sandbox(tools: str) -> None:
    drop_in = (SETUP / "host/mysql/sandbox.conf").read_text()
    drop_in = drop_in.replace("@MEMORY@", "1900").replace("@SUBNET@", "172.30.0.0/16")
    service = drop_in.replace("[Service]", "[Service]\nExecStart=/bin/true")
    command = (
        "cat > /tmp/mysql.service && systemd-analyze verify --recursive-errors=no "
        "/tmp/mysql.service && systemd-analyze security --offline=yes --threshold=20 "
        "/tmp/mysql.service"
    )
    assert "Unknown key" not in said(tools, command, text=service)


def test_mysql() -> None:
    own = (SETUP / "host/mysql/vm.cnf").read_text().replace("@BRIDGE@", "172.30.0.1")
    own = own.replace("@POOL@", "1024")
    base = (ROOT / "compose/mysql/my.cnf").read_text()
    # Its plugins lie there as well; the files that it names need not, to be valid.
    command = (
        "cat > /tmp/my.cnf && mysqld --defaults-file=/tmp/my.cnf --validate-config --user=mysql"
    )
    said("mysql:9.7", command, text=base + own)
    with pytest.raises(AssertionError):
        said("mysql:9.7", command, text=base + own + "query_cache_size = 1\n")


@pytest.mark.parametrize(
    ("mebibytes", "said_of_it"),
    [(2048, ["512"]), (3900, ["1152", "enough"]), (16384, ["4864", "enough"])],
)
def test_memory(tmp_path: Path, mebibytes: int, said_of_it: list[str]) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal: {mebibytes * 1024} kB\n")
    command = f"source {SETUP}/host/memory.sh; buffer_pool $0; enough_memory $0 && echo enough"
    done = subprocess.run(
        ["bash", "-c", command, str(meminfo)], text=True, capture_output=True, check=False
    )
    assert done.stdout.split() == said_of_it
