"""Takes a sample every second."""

import threading
import time
from dataclasses import replace
from types import TracebackType
from typing import Self

from loadtest.lab.samples import Sample
from loadtest.lab.sources import Source

INTERVAL = 1.0  # seconds


class Recorder:
    """Samples *source* from ``with`` to its end; ``samples`` grows meanwhile.

    Their times are in seconds since ``began``, which is in seconds since 1970.
    """

    def __init__(self, source: Source) -> None:
        self.samples: list[Sample] = []
        self._source = source
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._record, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        self.began = time.time()
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
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            sample = self._source.sample()
            if sample is not None:
                at = round(max(0.0, sample.at - self.began), 3)
                self.samples.append(replace(sample, at=at))
            # A late answer skips ticks; catching up would give samples at wrong distances.
            due += INTERVAL * max(1, -(-(time.monotonic() - due) // INTERVAL))
