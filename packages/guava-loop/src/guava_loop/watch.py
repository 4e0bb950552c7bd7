"""Finds the callbacks that keep a loop from its work: loop.watch().

The loop times each callback in C. One that took longer than the limit is told of when it is over,
whatever it did meanwhile. Beside the loop, a thread looks what runs and for how long; so the stack
of what takes too long is known while it does, and past a second limit it is shown without waiting
for the end. While the loop sleeps, the thread does too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import traceback
import weakref
from asyncio import base_events
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from .switch import switch

if TYPE_CHECKING:
    from .loop import Loop

logger = logging.getLogger("guava_loop")

# Looks at a loop that sleeps before the thread waits for the loop instead of the clock.
_LOOKS_BEFORE_SLEEP = 8


@dataclass(frozen=True, slots=True)
class Blocked:
    """Something that kept the loop from everything else. `str()` of it is a message of many lines.

    Attributes:
        what: the callback as asyncio describes it: a task, a handle, a transport and its protocol;
            of other sockets, the function that was called.
        seconds: for how long, until now if it is not over.
        over: it is over; else it is still at it.
        waited: it was no callback: the loop had work, and another thread did not let go of the
            interpreter.
        where: the line that ran when the limit had passed, as "file:line in function"; for a task
            that was not caught in the act, the line where it waits now; "" if neither is known.
        defined: where the callback's function is defined, as "file:line"; "" if it is not Python.
        task: the name of the task, if it was a task's step.
        stack: the calls from the callback on to the innermost, when the limit had passed (when
            `over` is false: now). Empty if the thread did not get to look, which is so when the
            callback itself kept the interpreter.
    """

    what: str
    seconds: float
    over: bool
    waited: bool
    where: str
    defined: str
    task: str | None
    stack: traceback.StackSummary

    def __str__(self) -> str:
        if self.waited:
            return f"The event loop has waited {self.seconds:.3f} seconds for the interpreter"
        kept = "was kept" if self.over else "has been kept"
        lines = [f"The event loop {kept} for {self.seconds:.3f} seconds by {self.what}"]
        if self.defined:
            lines.append(f"  defined at {self.defined}")
        if self.stack:
            lines.append("  Stack (most recent call last):")
            lines += [line.rstrip("\n") for line in self.stack.format()]
        elif self.where:
            lines.append(f"  now at {self.where}")
        return "\n".join(lines)


def log(blocked: Blocked) -> None:
    """The report that is made unless another is given: to the logger "guava_loop"."""
    level = logging.WARNING if blocked.over else logging.ERROR
    logger.log(level, "%s", blocked)


# ---- what a callback is ------------------------------------------------------------------------


_ASYNCIO = str(Path(asyncio.__file__).parent)


def _place(code: CodeType, line: int) -> str:
    return f"{code.co_filename}:{line} in {code.co_qualname}"


def _task_of(what: Any) -> asyncio.Task[Any] | None:
    owner = getattr(getattr(what, "_callback", None), "__self__", None)
    return owner if isinstance(owner, asyncio.Task) else None


def _describe(what: Any, stack: traceback.StackSummary | None) -> str:
    if what is None:
        # A socket of an extension module: what Python it has called tells the most.
        return f"{stack[0].name}()" if stack else "a callback that has no name"
    if hasattr(what, "_callback"):
        text: str = base_events._format_handle(what)  # type: ignore[attr-defined]
        return text
    get_protocol = getattr(what, "get_protocol", None)
    return f"{what!r} of {get_protocol()!r}" if get_protocol is not None else repr(what)


def _code_of(what: Any, task: asyncio.Task[Any] | None) -> CodeType | None:
    if task is not None:
        return getattr(task.get_coro(), "cr_code", None)
    function: Any = getattr(what, "_callback", None)
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    function = getattr(function, "__wrapped__", function)
    return getattr(getattr(function, "__func__", function), "__code__", None)


def _waits_at(task: asyncio.Task[Any] | None) -> str:
    """The innermost line of a task that is suspended, asyncio's own lines not counted."""
    coroutine: Any = task.get_coro() if task is not None and not task.done() else None
    place = ""
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        if not frame.f_code.co_filename.startswith(_ASYNCIO):
            place = _place(frame.f_code, frame.f_lineno)
        coroutine = getattr(coroutine, "cr_await", None)
    return place


def _make(
    what: Any, seconds: float, over: bool, waited: bool, stack: traceback.StackSummary | None
) -> Blocked:
    task = _task_of(what)
    code = _code_of(what, task)
    if stack:
        last = stack[-1]
        where = f"{last.filename}:{last.lineno} in {last.name}"
    else:
        where = _waits_at(task)
    return Blocked(
        what="another thread" if waited else _describe(what, stack),
        seconds=seconds,
        over=over,
        waited=waited,
        where=where,
        defined=f"{code.co_filename}:{code.co_firstlineno}" if code is not None else "",
        task=task.get_name() if task is not None else None,
        stack=stack if stack is not None else traceback.StackSummary(),
    )


_RUN = asyncio.BaseEventLoop.run_forever.__code__


def _stack_of(loop: Loop) -> traceback.StackSummary | None:
    """What the loop's thread does inside run_forever(); None if it does nothing there."""
    frame: FrameType | None = loop._look_frame()
    frames: list[tuple[FrameType, int]] = []
    while frame is not None and frame.f_code is not _RUN:
        frames.append((frame, frame.f_lineno))
        frame = frame.f_back
    if frame is None or not frames:
        return None
    # The lines of the sources are read when somebody looks at them.
    return traceback.StackSummary.extract(reversed(frames), lookup_lines=False)


# ---- the watch ---------------------------------------------------------------------------------


def _check_seconds(name: str, value: Any) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be above 0 seconds and finite, not {value!r}")


class Watch:
    """A watched loop, from loop.watch(). As a context manager it stops at the end."""

    def __init__(
        self,
        loop: Loop,
        limit: float,
        dump_after: float | None,
        report: Callable[[Blocked], object] | None,
        dump_held: bool,
    ) -> None:
        _check_seconds("limit", limit)
        if dump_after is not None:
            _check_seconds("dump_after", dump_after)
            if dump_after < limit:
                raise ValueError(
                    f"dump_after must not be below limit, {limit!r}, and is {dump_after!r}"
                )
        if report is not None and not callable(report):
            raise TypeError(f"report must be callable or None, not {type(report).__name__}")
        self.limit = limit
        self.dump_after = dump_after
        self._report = report if report is not None else log
        self._loop = weakref.ref(loop)
        self._dump_held = dump_held and dump_after is not None
        self._stopped = False
        self._thread: _Watcher | None = None
        self._caught: tuple[int, traceback.StackSummary | None] = (0, None)
        loop._watch(self._ended, limit)

    @property
    def active(self) -> bool:
        """Whether it watches: it was not stopped, and its loop is not closed."""
        return not self._stopped

    def stop(self) -> None:
        """Ends it. May be called from any thread, more than once, and from the report."""
        if not self._stopped:
            self._stopped = True
            self._pause()
            loop = self._loop()
            if loop is not None:
                loop._watch(None, self.limit)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # The loop calls these two around each run. A thread lives for one run: so a fork, which does
    # not take threads along, and the end of the interpreter find nothing to repair.

    def _begin(self, loop: Loop) -> None:
        if self._stopped:
            return
        watcher = _Watcher(self, loop)
        try:
            # An interpreter beside the main one may allow no daemons, and waits for the others.
            with contextlib.suppress(RuntimeError):
                watcher.daemon = True
            watcher.start()
        except RuntimeError as error:  # no thread is to be had
            logger.warning("What keeps the event loop is told of without stacks: %s", error)
        else:
            self._thread = watcher

    def _pause(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    def _ended(self, what: Any, seconds: float, serial: int, waited: bool) -> None:
        """The loop's own, on its thread: something took longer than the limit, and is over."""
        caught, stack = self._caught
        self._tell(_make(what, seconds, True, waited, stack if caught == serial else None))

    def _tell(self, blocked: Blocked) -> None:
        self._report(blocked)


def _let_go(what: object) -> None:
    """Called by the loop, so that the last reference to what it ran is dropped on its thread."""


class _Watcher(threading.Thread):
    """Looks for how long what runs has run."""

    def __init__(self, watch: Watch, loop: Loop) -> None:
        super().__init__(name="guava-loop-watch", daemon=False)
        self._watch = watch
        self._loop = loop
        self._over = False
        self._alarm = threading.Lock()  # is acquired to wait, and released to wake
        self._alarm.acquire()
        self._shown = 0  # the serial of what was shown while it ran
        self._armed = 0.0

    def stop(self) -> None:
        self._over = True
        with contextlib.suppress(RuntimeError):  # released already
            self._alarm.release()

    def run(self) -> None:
        idle = 0
        try:
            while not self._over:
                looked = self._loop._look()
                idle = 0 if looked is not None else idle + 1
                if idle > _LOOKS_BEFORE_SLEEP:
                    self._sleep()
                    idle = 0
                    continue
                self._arm()
                pause = self._watch.limit if looked is None else self._consider(*looked)
                self._alarm.acquire(timeout=min(pause, threading.TIMEOUT_MAX))
        finally:
            self._disarm()
            del self._loop

    def _sleep(self) -> None:
        self._disarm()
        self._loop._watch_wake(self._alarm.release)
        # Whatever begins from here on wakes; what began before must not be missed.
        if self._loop._look() is None:
            self._alarm.acquire()
        self._loop._watch_wake(None)

    def _consider(self, seconds: float, serial: int) -> float:
        """What runs has done so for that long. In how many seconds to look again."""
        watch = self._watch
        if seconds < watch.limit:
            return watch.limit - seconds
        if watch._caught[0] != serial:
            watch._caught = (serial, self._stack(serial))
        after = watch.dump_after
        if after is None or self._shown == serial:
            return watch.limit
        if seconds < after:
            return min(after - seconds, watch.limit)
        self._shown = serial
        self._show(serial)
        return watch.limit

    def _stack(self, serial: int) -> traceback.StackSummary | None:
        stack = _stack_of(self._loop)
        looked = self._loop._look()
        return stack if looked is not None and looked[1] == serial else None

    def _show(self, serial: int) -> None:
        what = self._loop._look_at()
        stack = self._stack(serial)
        looked = self._loop._look()
        try:
            if looked is not None and looked[1] == serial and not self._over:
                self._watch._tell(_make(what, looked[0], False, False, stack))
        except Exception:
            logger.exception("The report of an event loop that is stuck has failed")
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(_let_go, what)

    def _arm(self) -> None:
        after = self._watch.dump_after
        now = self._loop.time()
        if after is not None and self._watch._dump_held and now >= self._armed + after / 2:
            self._armed = now
            switch.set(self, after * 1.5)

    def _disarm(self) -> None:
        self._armed = 0.0
        switch.leave(self)
