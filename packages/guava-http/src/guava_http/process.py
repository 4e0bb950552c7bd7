"""What a server asks of the process that it is in: files that may be open, and signals."""

from __future__ import annotations

import contextlib
import resource
import signal
import threading

__all__ = ["ignore_sigpipe", "most_connections", "raise_descriptors"]

_DESCRIPTORS = 1 << 20  # where there is no limit; some programs close every number up to it


def most_connections() -> int:
    """How many connections there may be when nobody has said so."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 10_000
    return max(1, min(soft - 64, 10_000))


def raise_descriptors() -> None:
    """Lets the process open as many files as it may; each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def ignore_sigpipe() -> None:
    """Python does so by itself, but where it is embedded, or was started by someone who restored
    the signals, a client that leaves would end the process."""
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
