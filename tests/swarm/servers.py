"""MySQL outside of the Swarm: a source, and a replica that is cloned from it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Self

from tests.stack.stack import ROOT, docker
from tests.swarm.nodes import NETWORK
from tests.waiting import eventually

# With a dot: a node asks nobody outside for a name without one.
SOURCE, REPLICA = "source.test", "replica.test"
START = 120.0  # seconds, for a first start on a busy machine
# A client whose machine is gone says nothing: the kernel asks after half a minute, and it gives up
# in less than one to send what nobody has acknowledged.
GONE = {"keepalive_time": 30, "keepalive_intvl": 5, "keepalive_probes": 3, "retries2": 6}


class Servers:
    """Both servers, with the stack's configuration, accounts and certificate.

    Args:
        secrets: what init made for MySQL, on this machine.
    """

    def __init__(self, secrets: Path) -> None:
        self._secrets = secrets

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for name in (SOURCE, REPLICA):
                stack.callback(docker, "rm", "--force", "--volumes", _container(name))
                self._run(name)
            for name in (SOURCE, REPLICA):
                eventually(lambda name=name: self.answers(name), within=START)  # type: ignore[misc]
            self._replicate()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def sql(self, name: str, statements: str) -> list[list[str]]:
        """Run *statements* as root at a server; the rows."""
        found = subprocess.run(
            _client(name), input=statements, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        if found.returncode:
            raise RuntimeError(f"{name}: {found.stderr}")
        return [line.split("\t") for line in found.stdout.splitlines()]

    @contextmanager
    def session(self, name: str) -> Iterator[Callable[[str], list[list[str]]]]:
        """One session of root's, for what is asked often: call it with a query for the rows."""
        with subprocess.Popen(
            [*_client(name), "--unbuffered"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, bufsize=1,
        ) as client:  # fmt: skip
            assert client.stdin is not None
            assert client.stdout is not None
            asked, answered = client.stdin, client.stdout

            def ask(query: str) -> list[list[str]]:
                asked.write(f"{query}; SELECT 'end';\n")
                rows = takewhile(lambda line: line != "end\n", answered)
                return [row.rstrip("\n").split("\t") for row in rows]

            yield ask
            asked.close()

    def answers(self, name: str) -> bool:
        """Whether a server can be used, over TCP as its clients do."""
        command = ("exec", _container(name), "mysql", "--host=127.0.0.1", "--execute=DO 1")
        option = "--defaults-file=/run/secrets/clinic/exporter.cnf"
        found = subprocess.run(
            ["docker", *command[:3], option, *command[3:]], capture_output=True, check=False
        )
        return not found.returncode

    def follows(self) -> bool:
        """Whether the replica has all that the source has executed by now."""
        ((executed,),) = self.sql(SOURCE, "SELECT REPLACE(@@global.gtid_executed, '\\n', '')")
        query = f"SELECT GTID_SUBSET('{executed}', @@global.gtid_executed)"
        return self.sql(REPLICA, query) == [["1"]]

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Meanwhile the replica applies nothing."""
        self.sql(REPLICA, "STOP REPLICA SQL_THREAD")
        try:
            yield
        finally:
            self.sql(REPLICA, "START REPLICA SQL_THREAD")

    def _replicate(self) -> None:
        self.sql(SOURCE, self._script("source", "%"))
        try:
            self.sql(REPLICA, self._script("clone", SOURCE))
        except RuntimeError as error:  # it ends, as nobody but Docker starts it again
            if "3707" not in str(error) and "2013" not in str(error):
                raise
        eventually(lambda: self.answers(REPLICA), within=START)
        self.sql(REPLICA, self._script("follow", SOURCE))
        eventually(self.follows, within=30)

    def _script(self, step: str, host: str) -> str:
        script = ("/opt/replication.sh", step, "/run/secrets/clinic", host)
        return docker("exec", _container(SOURCE), "sh", *script)

    def _run(self, name: str) -> None:
        mysql = ROOT / "compose/mysql"
        mounted = {
            self._secrets: "/run/secrets/clinic",
            mysql / "my.cnf": "/etc/mysql/conf.d/clinic.cnf",
            mysql / "initdb.d": "/docker-entrypoint-initdb.d",
            mysql / "accounts.sh": "/opt/accounts.sh",
            mysql / "start.sh": "/opt/start.sh",
            mysql / "replication.sh": "/opt/replication.sh",
        }
        volumes = [f"--volume={here}:{there}:ro" for here, there in mounted.items()]
        sysctls = [f"--sysctl=net.ipv4.tcp_{key}={value}" for key, value in GONE.items()]
        docker(
            "run", "--detach", "--name", _container(name), "--hostname", name, "--user", "999:999",
            "--network", NETWORK, "--network-alias", name, "--restart", "unless-stopped",
            "--memory", "1g", *volumes, *sysctls,
            "--env", "MYSQL_ROOT_PASSWORD_FILE=/run/secrets/clinic/root_password",
            "--env", "MYSQL_ROOT_HOST=localhost", "--env", "MYSQL_DATABASE=clinic",
            "--entrypoint", "sh", "mysql:9.7", "/opt/start.sh",
        )  # fmt: skip


def _client(name: str) -> list[str]:
    options = ("--defaults-file=/run/secrets/clinic/root.cnf", "--skip-column-names", "--batch")
    return ["docker", "exec", "--interactive", _container(name), "mysql", *options, "clinic"]


def _container(name: str) -> str:
    return f"poolsight-mysql-{name}"
