"""As many requests as a server answers, on connections that stay open, at little cost."""

from __future__ import annotations

import selectors
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from time import monotonic

REQUEST = b"GET / HTTP/1.1\r\nHost: benchmark\r\n\r\n"
TIMEOUT = 10.0  # seconds


@dataclass(frozen=True)
class Load:
    """What a server answered."""

    requests: int
    seconds: float


@contextmanager
def connected(host: str, port: int, processes: int, each: int) -> Iterator[list[socket.socket]]:
    """Connections to a server, as many to *each* of its *processes*.

    Chance would give one of them too many for its threads, and another too few.
    """
    count: Counter[bytes] = Counter()
    with ExitStack() as stack:
        connections: list[socket.socket] = []
        while len(connections) < processes * each:
            asking = HTTPConnection(host, port, timeout=TIMEOUT)
            asking.request("GET", "/process")
            process = asking.getresponse().read()
            stack.callback(asking.close)
            if count[process] < each:
                count[process] += 1
                connections.append(asking.sock)
        yield connections


def load(connections: Sequence[socket.socket], body: bytes, seconds: float) -> Load:
    """Ask again on each connection as soon as the answer, which ends with *body*, is there.

    Raises:
        ConnectionError: there was another answer.
    """
    with selectors.EpollSelector() as selector:
        began = monotonic()
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, bytearray())
            connection.sendall(REQUEST)
        answered = 0
        while (now := monotonic()) < began + seconds:
            answered += sum(_is_complete(key, body) for key, _ in selector.select(TIMEOUT))
        return Load(answered, now - began)


def _is_complete(key: selectors.SelectorKey, body: bytes) -> bool:
    """Read what has come; where the answer is complete, ask again."""
    connection, answer = key.fileobj, key.data
    assert isinstance(connection, socket.socket)  # noqa: S101 - they were registered
    received = connection.recv(65536)
    answer += received
    if not (received and answer.startswith(b"HTTP/1.1 200 ")):
        raise ConnectionError(f"The server answered {bytes(answer[:80])!r}.")
    if not answer.endswith(body):
        return False
    answer.clear()
    connection.sendall(REQUEST)
    return True
