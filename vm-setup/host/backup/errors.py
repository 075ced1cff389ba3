"""What can go wrong, told to a person."""

from __future__ import annotations


class BackupError(Exception):
    """A backup or a recovery could not be done. The message says what to do."""
