"""Takes a sample of the application and of the load every second."""

import threading
import time
from types import TracebackType
from typing import Self

from loadtest.lab.samples import Sample, Scrape, load_sample, pool_sample

INTERVAL = 1.0  # seconds


class Recorder:
    """Samples both metrics endpoints from ``with`` to its end; ``samples`` grows meanwhile."""

    def __init__(self, pool_url: str, load_url: str) -> None:
        self.samples: list[Sample] = []
        self._urls = pool_url, load_url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._record, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _record(self) -> None:
        due = self._start
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            self.samples.append(self._sample())
            # A late answer skips ticks; catching up would give samples at wrong distances.
            due += INTERVAL * max(1, -(-(time.monotonic() - due) // INTERVAL))

    def _sample(self) -> Sample:
        at = time.monotonic() - self._start
        pool, load = (Scrape.of(url) for url in self._urls)
        return Sample(
            round(at, 3), pool_sample(pool) if pool else None, load_sample(load) if load else None
        )
