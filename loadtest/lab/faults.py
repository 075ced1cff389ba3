"""What can go wrong on purpose. A fault is undone when its ``with`` block ends, however it does.

A fault acts through what the target can do: see :class:`loadtest.lab.targets.Target`.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from inspect import signature
from typing import Any

from loadtest.lab.errors import LabError
from loadtest.lab.targets import Target
from loadtest.scenario import Fault

ASK_TIMEOUT = 10.0  # seconds


@contextmanager
def killed_database(target: Target) -> Iterator[None]:
    """The database server dies, and is started again at the end."""
    target.kill_database()
    try:
        yield
    finally:
        target.start_database()


@contextmanager
def frozen(target: Target, who: str) -> Iterator[None]:
    """The ``database``, or all workers of the ``application``, stop where they are."""
    with target.frozen(who):
        yield


@contextmanager
def toxic(target: Target, type: str, **attributes: Any) -> Iterator[None]:
    """Toxiproxy, between application and database, does what its toxics do."""
    with target.toxic(type, attributes):
        yield


@contextmanager
def server_variable(
    target: Target, name: str, value: int, reconnect: bool = False
) -> Iterator[None]:
    """A global variable of the server has another value.

    Some take effect on new connections only: ``reconnect`` closes those that the application has.
    """
    ((before,),) = target.sql(f"SELECT @@GLOBAL.{name}")
    # One session for both: meanwhile the server may refuse everybody, the administrator too.
    with target.session() as run:
        run(f"SET GLOBAL {name} = {int(value)}")
        try:
            if reconnect:
                _kill_connections(target)
            yield
        finally:
            run(f"SET GLOBAL {name} = {int(before)}")


@contextmanager
def killed_connections(target: Target) -> Iterator[None]:
    """All connections of the application are closed by the server: its pools are cold."""
    _kill_connections(target)
    yield


@contextmanager
def held_locks(target: Target, statement: str) -> Iterator[None]:
    """Somebody's transaction holds the locks of *statement* and does not end."""
    with target.session() as run:
        run("BEGIN")
        run(statement)
        yield


@contextmanager
def leaked(target: Target, connections: int) -> Iterator[None]:
    """Connections are borrowed and not returned."""
    for _ in range(connections):
        _post(target, "/lab/leak")
    try:
        yield
    finally:
        released = 0
        while released < connections:  # each worker has its own, and who answers is chance
            released += _post(target, "/lab/leak/release")["released_by_this_worker"]


KINDS: dict[str, Callable[..., AbstractContextManager[None]]] = {
    "kill database": killed_database,
    "freeze": frozen,
    "toxic": toxic,
    "server variable": server_variable,
    "kill connections": killed_connections,
    "hold locks": held_locks,
    "leak": leaked,
}


def check(fault: Fault) -> None:
    """Look at what a scenario says, before anything runs.

    Raises:
        LabError: there is no such fault, or it takes other arguments.
    """
    if fault.kind not in KINDS:
        raise LabError(f"There is no fault {fault.kind!r}. There are: {', '.join(KINDS)}.")
    try:
        signature(KINDS[fault.kind]).bind("a target", **fault.arguments)
    except TypeError as error:
        raise LabError(f"The fault {fault.kind!r} cannot be like this: {error}.") from None


def injected(target: Target, fault: Fault) -> AbstractContextManager[None]:
    """Return the context in which *fault* acts on *target*.

    Raises:
        LabError: there is no such fault, or the target cannot have it.
    """
    check(fault)
    return KINDS[fault.kind](target, **fault.arguments)


def _kill_connections(target: Target) -> None:
    rows = target.sql("SELECT id FROM information_schema.processlist WHERE user = 'app'")
    for (number,) in rows:
        target.sql(f"KILL {int(number)}", may_fail=True)  # it may have ended meanwhile


def _post(target: Target, path: str) -> dict[str, Any]:
    request = urllib.request.Request(f"{target.url}{path}", method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=ASK_TIMEOUT) as answer:  # noqa: S310
            body: dict[str, Any] = json.load(answer)
            return body
    except (OSError, urllib.error.HTTPError) as error:
        raise LabError(f"POST {target.url}{path}: {error}") from error
