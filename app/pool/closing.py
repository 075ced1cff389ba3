"""Why a connection is closed. The pool does not say; it can be told from what led to it."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy.exc import DisconnectionError, InvalidatePoolError

from . import layout


def invalidation(error: BaseException | None) -> int:
    """The reason of a connection that was invalidated, perhaps because of an *error*."""
    if isinstance(error, InvalidatePoolError):
        return layout.CLOSE_PRE_PING
    if error is None or isinstance(error, DisconnectionError):
        return layout.CLOSE_INVALIDATE
    return layout.CLOSE_ERROR


def replacement(record: Any) -> int:
    """The reason of a connection that the pool replaces before it hands it out.

    The questions are those of ``_ConnectionRecord.get_connection``.
    """
    pool = record._ConnectionRecord__pool
    if -1 < pool._recycle < time.time() - record.starttime:
        return layout.CLOSE_RECYCLE
    if pool._invalidate_time > record.starttime:
        return layout.CLOSE_INVALIDATE
    if record._soft_invalidate_time > record.starttime:
        return layout.CLOSE_SOFT_INVALIDATE
    return layout.CLOSE_ERROR
