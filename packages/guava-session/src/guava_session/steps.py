"""What is done with a store, written once, and driven with or without an event loop.

A function of steps is a generator that yields ``(store, call)``: whose method is to be called, and
a callable without arguments that calls it. It gets back what the call returned. So it does not
know whether the store's methods are plain functions or ``async def``; `drive` and `adrive` do.
A yielded ``(None, seconds)`` waits for that long.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from .store import SessionStore

T = TypeVar("T")

Steps: TypeAlias = Generator["tuple[SessionStore | None, Any]", Any, T]


def drive(steps: Steps[T], advice: str = "") -> T:
    """Run steps to their end in this thread; stores with ``async def`` methods by `portal`.

    :param advice: what to do instead where an event loop runs, for the error that says so
    :raises RuntimeError: a store is asynchronous, and this thread runs an event loop
    """
    try:
        store, call = next(steps)
        while True:
            try:
                if store is None:
                    time.sleep(call)
                    result = None
                elif store.asynchronous:
                    from . import portal

                    result = portal.run(call, type(store).__name__, advice)
                else:
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


def call(store: SessionStore, function: Callable[[], Any]) -> Steps[Any]:
    """The one step of calling a store's method."""
    return (yield store, function)
