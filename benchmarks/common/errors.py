"""The two ways in which something does not take part.

Apart from all else, since the processes that are measured import it: it imports nothing.
"""


class CannotRun(Exception):
    """Something cannot run here, mostly since it is not installed; the message says why."""


class Failed(Exception):
    """Something ran, and went wrong; the message says how."""
