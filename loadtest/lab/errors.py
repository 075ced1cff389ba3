"""The one exception of the lab: its text is written for a person."""


class LabError(Exception):
    """Something outside this program is in the way; the message says what, and what to do."""
