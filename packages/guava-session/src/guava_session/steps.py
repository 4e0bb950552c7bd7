"""What is done with a store, written once, and driven with or without an event loop.

A function of steps is a generator that yields ``(store, call)``: whose method is to be called, and
a callable without arguments that calls it. It gets back what the call returned. So it does not
know whether the store's methods are plain functions or ``async def``; `drive` and `adrive` do.
A yielded ``(None, seconds)`` waits for that long.
"""

from __future__ import annotations

import inspect
import logging
import sys
import time
import warnings
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    import asyncio

    from .store import SessionStore

T = TypeVar("T")

Steps: TypeAlias = Generator["tuple[SessionStore | None, Any]", Any, T]

log = logging.getLogger("guava.session")

#: Tasks that go on though whoever waited for them was cancelled; event loops hold them weakly.
_going: set[asyncio.Task[Any]] = set()


class Taking:
    """A call that takes something, which must be given back if nobody is there to have it.

    :param take: the call; None means that it has taken nothing
    :param give: gets what was taken, and gives it back
    """

    def __init__(self, take: Callable[[], Any], give: Callable[[Any], Any]) -> None:
        self.take = take
        self.give = give

    def __call__(self) -> Any:
        return self.take()


def drive(steps: Steps[T], advice: str = "") -> T:
    """Run steps to their end in this thread; stores with ``async def`` methods by `portal`.

    Where an event loop runs, a store that is `remote` stops it: a RuntimeWarning says so.

    :param advice: what to do instead where an event loop runs, for those who are told
    :raises RuntimeError: this thread runs an event loop, and a store is asynchronous, or somebody
        else has a lock: perhaps a task of this loop, which could then never give it back
    """
    told = not advice
    try:
        store, call = next(steps)
        while True:
            try:
                if store is None:
                    if _is_on_loop():
                        raise RuntimeError(
                            "another request has this session's lock, and this thread runs an "
                            f"event loop, which waiting would stop: {advice or 'await it'}"
                        )
                    time.sleep(call)
                    result = None
                elif store.asynchronous:
                    from . import portal

                    result = portal.run(call, type(store).__name__, advice)
                else:
                    if not told and store.remote:
                        told = True
                        _warn_loop(advice)
                    result = call()
            except BaseException as error:
                store, call = steps.throw(error)
            else:
                store, call = steps.send(result)
    except StopIteration as end:
        value: T = end.value
        return value


async def adrive(steps: Steps[T]) -> T:
    """Run steps to their end without blocking the event loop that runs.

    Methods that are ``async def`` are awaited, those of a store that is `remote` are called on a
    thread, and the others, of this machine, at once.
    """
    import asyncio  # not before it is needed: most programs have no event loop

    try:
        store, call = next(steps)
        while True:
            try:
                if store is None:
                    await asyncio.sleep(call)
                    result = None
                elif type(call) is Taking and (store.asynchronous or store.remote):
                    result = await _taken(store, call)
                elif store.asynchronous:
                    result = call()
                    if inspect.isawaitable(result):  # close() need not be one
                        result = await result
                elif store.remote:
                    result = await asyncio.to_thread(call)
                else:
                    result = call()
            except BaseException as error:
                store, call = steps.throw(error)
            else:
                store, call = steps.send(result)
    except StopIteration as end:
        value: T = end.value
        return value


async def shielded(waiting: Coroutine[Any, Any, T]) -> T:
    """Await it in a task that goes on to its end even if whoever waits here is cancelled."""
    import asyncio

    return await asyncio.shield(_begin(waiting))


def _begin(waiting: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    import asyncio

    task = asyncio.ensure_future(waiting)
    _going.add(task)
    task.add_done_callback(_going.discard)
    return task


async def _taken(store: SessionStore, taking: Taking) -> Any:
    """What it takes; if this is cancelled, what it has taken or takes then is given back."""
    import asyncio

    task = _begin(adrive(call(store, taking.take)))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        _begin(_given_back(store, taking, task))
        raise


async def _given_back(store: SessionStore, taking: Taking, task: asyncio.Task[Any]) -> None:
    try:
        word = await task
        if word is not None:
            await adrive(call(store, partial(taking.give, word)))
    except OSError:
        log.exception("the lock of a session could not be given back; it will expire")


def _is_on_loop() -> bool:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False  # nobody has imported it: there is none
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _warn_loop(advice: str) -> None:
    """Say so where a store that is far away is waited for on an event loop's thread."""
    if not _is_on_loop():
        return
    # The line of the application is what helps, and the default filter tells once for each line.
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_own(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"the event loop waits for the store of sessions; {advice} instead",
        RuntimeWarning,
        stacklevel=level,
    )


def _is_own(module: str) -> bool:
    # `update` and `setdefault` of a session are collections.abc's.
    return module.startswith(f"{__package__}.") or module == "collections.abc"


def call(store: SessionStore, function: Callable[[], Any]) -> Steps[Any]:
    """The one step of calling a store's method."""
    return (yield store, function)
