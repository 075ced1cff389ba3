"""Child processes that never outlive their owner, and a directory that goes with them."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtest.lab import keeper


class Workspace:
    """A temporary directory with the child processes that use it.

    A keeper process kills the children and removes the directory when the owner ends, however
    it ends. ``close()`` does the same at once.
    """

    def __init__(self, prefix: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=prefix))
        self._keeper = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", keeper.__file__, str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """Have the process group killed when the owner ends."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Leave the process group alone: it has ended, and its number may be used again."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Kill what still runs and remove the directory."""
        if self._keeper.stdin:
            with contextlib.suppress(OSError):
                self._keeper.stdin.close()
        self._keeper.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _tell(self, line: str) -> None:
        if self._keeper.stdin:
            with contextlib.suppress(OSError):
                self._keeper.stdin.write(line)
                self._keeper.stdin.flush()


class Service:
    """A long-running child in a session of its own, so that Ctrl-C does not reach it directly."""

    def __init__(
        self,
        workspace: Workspace,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start ``command`` in ``cwd``; its output is appended to ``log``.

        ``user`` is the account to run it as (only root may change it). Raises OSError when the
        command cannot be started.
        """
        self.log = log
        self._workspace = workspace
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
                **run_as(user),
            )
        workspace.watch(self.process.pid)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self.process.poll()

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)

    def stop(self, grace: float) -> None:
        """Ask it to end, and kill it after ``grace`` seconds."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        self.wait(grace)
        self.kill()

    def kill(self) -> None:
        """End it and its children at once, as a crash would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._workspace.forget(self.process.pid)

    def wait(self, seconds: float) -> None:
        """Wait for its end, at most so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def lines(self) -> list[str]:
        """Return its log."""
        return self.log.read_text(errors="replace").splitlines()

    def last_lines(self, count: int = 8) -> str:
        """Return the end of its log, indented for a message."""
        return indented(self.lines(), count)


def indented(lines: Sequence[str], count: int = 8) -> str:
    """Return the last lines that say anything, as a part of a message."""
    return "\n".join(f"    {line}" for line in [line for line in lines if line.strip()][-count:])


def run_as(user: str | None) -> dict[str, Any]:
    """Return the arguments with which subprocess starts a child as ``user``."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
