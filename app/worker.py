"""gunicorn's thread worker, which refuses no request while it stops."""

from __future__ import annotations

import socket

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):  # type: ignore[misc]
    """A ``gthread`` worker that closes its listening sockets as soon as it stops accepting.

    gunicorn 27 leaves them open and unread until the last request has ended. Meanwhile the kernel
    goes on accepting for it, and resets those connections in the end: a proxy in front has sent
    its request by then, and must not repeat it. A closed socket refuses, and the proxy asks
    another replica.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop to accept; when the worker ends, take who is queued and then close."""
        super().set_accept_enabled(enabled)
        if self.alive or enabled:
            return
        for listener in self.sockets:
            self._take_all(listener)
            listener.close()
        self.sockets: list[socket.socket] = []

    def _take_all(self, listener: socket.socket) -> None:
        before = -1
        while before != self.nr_conns:
            before = self.nr_conns
            self.accept(listener)
