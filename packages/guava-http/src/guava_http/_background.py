"""Work that follows an answer. The native half imports this when a response first has some."""

import asyncio
import contextvars
import functools
import inspect
import logging
from typing import Any, TypeAlias

from ._core import Server

__all__ = ["start"]

_logger = logging.getLogger("guava_http")

_Job: TypeAlias = tuple[Any, tuple[Any, ...], dict[str, Any]]

# The loop itself holds its tasks weakly.
_tasks: set[asyncio.Task[None]] = set()


def start(server: Server, context: contextvars.Context, jobs: tuple[_Job, ...]) -> None:
    """Begins the jobs of one answer, in the context of its request; the server counts them."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(_run(jobs), name="background", context=context)
    _tasks.add(task)
    task.add_done_callback(functools.partial(_done, server))


def _done(server: Server, task: asyncio.Task[None]) -> None:
    _tasks.discard(task)
    server.task_done()


async def _run(jobs: tuple[_Job, ...]) -> None:
    for function, args, kwargs in jobs:
        try:
            if _is_async(function):
                await function(*args, **kwargs)
            else:
                result = await asyncio.to_thread(function, *args, **kwargs)
                if inspect.isawaitable(result):
                    await result
        except Exception:
            _logger.exception("background work failed: %r", function)


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004
    )
