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

# The servers that count them. The loop itself holds its tasks weakly.
_tasks: dict[asyncio.Task[None], Server] = {}


def start(server: Server, context: contextvars.Context, jobs: tuple[_Job, ...]) -> None:
    """Begins the jobs of one answer, in the context of its request; the server counts them."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(_run(jobs), name="background", context=context)
    try:
        # For one that is cancelled before it begins.
        task.add_done_callback(_end)
        _tasks[task] = server
    except BaseException:
        task.cancel()  # it is not counted
        raise


def _end(task: asyncio.Task[None] | None) -> None:
    server = None if task is None else _tasks.pop(task, None)
    if server is not None:
        server.task_done()


async def _run(jobs: tuple[_Job, ...]) -> None:
    try:
        await _do(jobs)
    finally:
        # Here, since without memory no callback comes.
        _end(asyncio.current_task())


async def _do(jobs: tuple[_Job, ...]) -> None:
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
