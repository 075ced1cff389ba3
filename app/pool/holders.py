"""Who holds a connection: a name that the application gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_holder: ContextVar[str | None] = ContextVar("sqlalchemy_pool_holder", default=None)

current_holder = _holder.get
"""The name that :func:`holding` gave, or None."""


@contextmanager
def holding(name: str) -> Iterator[None]:
    """Name the holder of the connections that are borrowed in this context, in this thread or task.

    Names become labels, so there should be few of them: those of jobs, and not of their ids. After
    the first 63, further names are counted as ``other``.
    """
    token = _holder.set(name)
    try:
        yield
    finally:
        _holder.reset(token)
