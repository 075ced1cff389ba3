"""Free loopback ports."""

import random
import socket

from loadtest.lab.errors import LabError

# Below every system's ephemeral range: a port in it could be taken by an outgoing connection
# while its server is stopped for an outage test.
FIRST_PORT, LAST_PORT = 20_000, 32_000

_given: set[int] = set()


def free_port() -> int:
    """Return a loopback TCP port which nothing listens on, and each only once.

    Whoever asked for one may not listen on it yet.

    Raises LabError when a hundred random ports were all taken.
    """
    for _ in range(100):
        port = random.randint(FIRST_PORT, LAST_PORT)  # noqa: S311 - not a secret
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise LabError(f"No free port on 127.0.0.1 between {FIRST_PORT} and {LAST_PORT}.")


def is_free(port: int) -> bool:
    """Tell whether ``port`` can be bound on 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
