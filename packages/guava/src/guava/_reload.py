"""Starting the program anew whenever its sources change.

The process that a person starts becomes the keeper. It owns the listening socket, so a browser
that asks during a restart waits for a moment and is not refused. The server runs in a child, which
watches the sources of what it has loaded and ends with status `AGAIN` after a change. A child that
dies of an error is not started again before something changed, which may be the mistake's repair.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

log = logging.getLogger("guava")

#: The exit status of a child that wants to be started again.
AGAIN = 75
INTERVAL = 0.3

# What the keeper tells its child: the listening sockets, when it was started, and by whom.
_SOCKETS = "GUAVA_RELOAD_SOCKETS"
_SINCE = "GUAVA_RELOAD_SINCE"
_KEEPER = "GUAVA_RELOAD_KEEPER"


class Stop:
    """A flag that a signal handler may set: `threading.Event` could lock itself out there."""

    def __init__(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True


# ---- what to watch -----------------------------------------------------------------------------


def _library_folders() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({sysconfig.get_path(name) + os.sep for name in names})


def watched_folders() -> set[str]:
    """The folders of all loaded modules that are the program's own."""
    libraries = _library_folders()
    folders = set()
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and not path.startswith(libraries):
            folders.add(os.path.dirname(os.path.abspath(path)))
    return folders


def snapshot(folders: set[str]) -> dict[str, int]:
    """Each Python source in the folders (not below them) with its time of change, in ns."""
    found = {}
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".py"):
                        found[entry.path] = entry.stat().st_mtime_ns
        except OSError:
            # Gone since a moment ago, which shows as a change of the files in it.
            continue
    return found


def _late(found: dict[str, int], since: int) -> set[str]:
    """What was changed between the program's start and the first look.

    A time in the future, as a wrong clock leaves it, is no change: it would be one for ever.
    """
    now = time.time_ns()
    return {path for path, changed in found.items() if since < changed <= now}


def _polled(stop: Stop, since: int) -> Iterator[set[str]]:
    folders = watched_folders()
    before = snapshot(folders)
    yield _late(before, since)
    while not stop.is_set():
        time.sleep(INTERVAL)
        # A folder that has come with a newly loaded module is no change.
        fresh = watched_folders() - folders
        folders |= fresh
        before |= snapshot(fresh)
        now = snapshot(folders)
        yield {path for path, _ in now.items() ^ before.items()}
        before = now


def _notified(stop: Stop, since: int) -> Iterator[set[str]]:
    import watchfiles  # type: ignore[import-not-found, unused-ignore]

    while not stop.is_set():
        folders = watched_folders()
        for changes in watchfiles.watch(
            *folders,
            watch_filter=lambda _, path: path.endswith(".py"),
            stop_event=stop,
            recursive=False,
            raise_interrupt=False,
            yield_on_timeout=True,
            rust_timeout=int(INTERVAL * 1000),
        ):
            # The look comes after the watch began, so nothing falls between the two.
            yield {path for _, path in changes} | _late(snapshot(folders), since)
            since = time.time_ns()
            if not watched_folders() <= folders:
                break


def changes(stop: Stop, since: int) -> Iterator[set[str]]:
    """Yields the paths of changed sources, or an empty set about three times a second.

    Args:
        stop: ends it.
        since: changes count from this time on, in nanoseconds since 1970.
    """
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        return _polled(stop, since)
    return _notified(stop, since)


def _wrong(paths: set[str]) -> SyntaxError | None:
    """The syntax error in one of the sources, if there is one."""
    for path in sorted(paths):
        try:
            compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
        except SyntaxError as error:
            return error
        except (OSError, ValueError):
            continue
    return None


# ---- the child ---------------------------------------------------------------------------------


def is_child() -> bool:
    return _SOCKETS in os.environ


def inherited_sockets() -> list[socket.socket]:
    return [socket.socket(fileno=int(fd)) for fd in os.environ[_SOCKETS].split(",")]


class Watcher(threading.Thread):
    """Calls `changed` once, in its own thread, when a source that compiles was changed, and also
    when the keeper is gone."""

    def __init__(self, changed: Callable[[], object]) -> None:
        super().__init__(name="guava-reload", daemon=True)
        self._changed = changed
        self._end = Stop()
        self._keeper = int(os.environ[_KEEPER])
        #: Whether `changed` was called for a change of the sources.
        self.again = False

    def run(self) -> None:
        for paths in changes(self._end, int(os.environ[_SINCE])):
            if os.getppid() != self._keeper:
                break
            if not paths:
                continue
            error = _wrong(paths)
            if error is not None:
                log.error("not reloading: %s, %s:%s", error.msg, error.filename, error.lineno)
                continue
            log.info("reloading: %s changed", ", ".join(sorted(map(os.path.relpath, paths))))
            self.again = True
            break
        else:
            return
        self._changed()

    def stop(self) -> None:
        self._end.set()


# ---- the keeper --------------------------------------------------------------------------------


def keep(sockets: Sequence[socket.socket]) -> int:
    """Runs this program as a child, again and again; returns the status to exit with."""
    fds = [sock.fileno() for sock in sockets]
    environment = os.environ | {_SOCKETS: ",".join(map(str, fds)), _KEEPER: str(os.getpid())}
    child: subprocess.Popen[bytes] | None = None
    ending = Stop()

    def end(signum: int, frame: FrameType | None) -> None:
        ending.set()
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGTERM)

    # Ctrl-C reaches the child by itself: the whole group of the terminal gets it.
    previous = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while True:
            since = time.time_ns()
            environment[_SINCE] = str(since)
            child = subprocess.Popen(
                [sys.executable, *sys.orig_argv[1:]], pass_fds=fds, env=environment
            )
            if ending.is_set():
                child.terminate()
            status = child.wait()
            if ending.is_set() or status == 0:
                return max(status, 0)
            if status != AGAIN:
                log.error("the program ended with status %d; waiting for a change", status)
                if not any(changes(ending, since)):
                    return status if status > 0 else 1
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
