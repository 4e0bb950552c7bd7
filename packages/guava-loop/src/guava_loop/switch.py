"""A dead man's switch for code that keeps the interpreter, so that no thread of Python can look.

It is `faulthandler.dump_traceback_later()`, of which a process has one: unless the switch is set
again in time, faulthandler's own thread, which needs no interpreter, writes the stacks of all
threads to stderr. All watched loops share it.
"""

from __future__ import annotations

import logging
import os

_logger = logging.getLogger("guava_loop")


class Switch:
    """Set by each of its users every now and then, and fires when they cannot."""

    def __init__(self) -> None:
        self._users: dict[object, float] = {}
        self._forking = False
        self._works = True

    def set(self, user: object, seconds: float) -> None:
        """Puts off the dump until so many seconds from now; the most impatient user decides."""
        self._users[user] = seconds
        if self._works and not self._forking:
            try:
                import faulthandler

                faulthandler.dump_traceback_later(min(self._users.values()))
            except (AttributeError, ImportError, OSError, RuntimeError, ValueError) as error:
                # stderr is no file, or this is not the main interpreter.
                self._works = False
                _logger.debug("No stacks of code that keeps the interpreter: %s", error)

    def leave(self, user: object) -> None:
        """Needs it no more, or not now."""
        if self._users.pop(user, None) is not None and not self._users:
            self._cancel()

    # The child of a fork would wait for ever for faulthandler's thread, which it has not. In the
    # parent, each user sets it anew before long.

    def before_fork(self) -> None:
        self._forking = True
        if self._users:
            self._cancel()

    def _cancel(self) -> None:
        if self._works:
            import faulthandler

            faulthandler.cancel_dump_traceback_later()

    def after_fork(self) -> None:
        self._forking = False

    def in_child(self) -> None:
        self._forking = False
        self._users.clear()


switch = Switch()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=switch.before_fork,
        after_in_parent=switch.after_fork,
        after_in_child=switch.in_child,
    )
