"""An event loop for programs that have none: where plain functions use an asynchronous store.

It runs on one daemon thread of the process, begun when it is first needed, and anew in a forked
child. Where a thread runs an event loop of its own, waiting here would stop that loop, so it is
refused there, with the name of what to await instead.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Callable
from typing import Any

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_owner = 0  # the process that it runs in


def run(call: Callable[[], Any], store: str, advice: str) -> Any:
    """Await what call returns, on the portal's thread; its result.

    :raises RuntimeError: this thread runs an event loop
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(
            f"{store} is asynchronous, and this thread runs an event loop, which waiting would "
            f"stop: {advice or 'await its methods'}"
        )

    async def awaited() -> Any:
        result = call()  # on the loop's thread, where clients look for their loop
        return await result if inspect.isawaitable(result) else result

    return asyncio.run_coroutine_threadsafe(awaited(), _running()).result()


def _running() -> asyncio.AbstractEventLoop:
    global _loop, _owner
    with _lock:
        # A thread does not survive fork(): its loop is only a memory in the child.
        if _loop is None or _owner != os.getpid():
            _loop, _owner = asyncio.new_event_loop(), os.getpid()
            thread = threading.Thread(
                target=_loop.run_forever, name="guava-session portal", daemon=True
            )
            thread.start()
        return _loop


def _forget_lock() -> None:
    # Another thread may have held it at the fork.
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_lock)
