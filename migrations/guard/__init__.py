"""Keeps migrations from harming a service that runs.

One runner at a time, statements that are journalled and never wait for long, and no change that
the server would have to copy a table for. ``env.py`` runs all migrations under it; revisions may
use :func:`assured` and :func:`in_batches`, and two variables of their module:

- ``contract``: why nothing uses any more what the revision drops, renames or forbids;
- ``needs_backfills``: names of the backfills that must have been finished.
"""

from migrations.guard.errors import GuardError
from migrations.guard.operations import assured, forget_backfill, in_batches

__all__ = ["GuardError", "assured", "forget_backfill", "in_batches"]
