"""What the guard says no with."""

from __future__ import annotations

from alembic.util import CommandError


class GuardError(CommandError):
    """A migration that was not begun or could not be finished; the message says what to do.

    Flask-Migrate prints it and exits with 1.
    """
