"""An event loop for asyncio, in C on libuv.

`Loop` is `asyncio.SelectorEventLoop` with a native core: everything that asyncio offers works, in
its own way, and callbacks, timers and readiness of files are handled in C. Extension modules drive
its sockets through the C API in guava_loop.h.
"""

from importlib.metadata import version as _version
from typing import Any

from ._core import _C_API, UV_VERSION, Handle, TimerHandle
from .loop import Loop, get_include, new_event_loop, run
from .stats import Lag, Stats
from .watch import Blocked, Watch

__all__ = [
    "UV_VERSION",
    "_C_API",
    "Blocked",
    "Handle",
    "Lag",
    "Loop",
    "Stats",
    "TimerHandle",
    "Watch",
    "__version__",
    "get_include",
    "new_event_loop",
    "run",
]

__version__: str = _version("guava-loop")


def __getattr__(name: str) -> Any:
    # Policies are deprecated from Python 3.14 on, and to touch them there warns.
    if name in ("EventLoopPolicy", "install"):
        from . import policy

        return getattr(policy, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
