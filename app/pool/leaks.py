"""Tells once of each connection that is borrowed for longer than its pool's leak threshold."""

from __future__ import annotations

import logging
import os
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final

from .recorder import Recorder, recorders
from .tracked import Tracked

LOOK_EVERY: Final = 0.25  # of the threshold

log = logging.getLogger(__name__)


def watch(threshold: float | None) -> None:
    """Look for leaks in this process from now on, at intervals that suit *threshold*, seconds."""
    global _watch
    if not threshold:
        return
    interval = threshold * LOOK_EVERY
    with _starting:
        if _watch is not None and _watch.interval <= interval:
            return
        if _watch is not None:
            _watch.stop.set()
        _watch = _Watch(interval)
        try:
            _watch.start()
        except RuntimeError:
            log.exception("Connection leaks will not be logged: no thread can be started.")


class _Watch(Thread):
    def __init__(self, interval: float) -> None:
        super().__init__(name="pool-leaks", daemon=True)
        self.interval = interval
        self.stop = Event()

    def run(self) -> None:
        while not self.stop.wait(self.interval):
            for counts in recorders():
                try:
                    report_leaks(counts)
                except Exception:
                    counts.fault()


def report_leaks(counts: Recorder) -> None:
    """Count and log the connections of *counts* that have been borrowed for too long."""
    now = monotonic()
    for tracked in counts.borrowed_now():
        since, threshold = tracked.borrowed_at, tracked.leak_after
        if since and threshold and now - since > threshold and tracked.reported != since:
            tracked.reported = since
            counts.leaked()
            _log(counts, tracked, now - since)


def _log(counts: Recorder, tracked: Tracked, seconds: float) -> None:
    log.warning(
        "Connection leak suspected: pool %r, borrowed %.1f s ago by %s.%s",
        counts.pool,
        seconds,
        counts.holder_name(tracked) or "a holder without a name",
        f" It was borrowed here:\n{tracked.stack}" if tracked.stack else "",
    )


_watch: _Watch | None = None
_starting = Lock()


def _forget_after_fork() -> None:
    global _watch, _starting
    _watch = None
    _starting = Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
