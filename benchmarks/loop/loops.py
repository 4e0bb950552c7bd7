"""The loops that are compared. Imported by the processes that are measured: it imports no more
than the loop that is wanted."""

import asyncio
import importlib
import importlib.metadata
from dataclasses import dataclass

from benchmarks.common.errors import CannotRun


@dataclass(frozen=True)
class Contender:
    key: str
    """The name on the command line; of the distribution, too."""
    module: str


ASYNCIO = Contender("asyncio", "asyncio")
UVLOOP = Contender("uvloop", "uvloop")
GUAVA = Contender("guava-loop", "guava_loop")
CONTENDERS = [ASYNCIO, UVLOOP, GUAVA]


def new_event_loop(key: str) -> asyncio.AbstractEventLoop:
    """A new loop of a contender. ImportError when it is not installed."""
    for contender in CONTENDERS:
        if contender.key == key:
            loop: asyncio.AbstractEventLoop = importlib.import_module(
                contender.module
            ).new_event_loop()
            return loop
    raise ValueError(f"no loop {key}")


def version(contender: Contender) -> str:
    """The version of a contender; CannotRun when it is not installed."""
    if contender is ASYNCIO:
        return "the standard library's"
    try:
        return importlib.metadata.version(contender.key)
    except importlib.metadata.PackageNotFoundError:
        raise CannotRun(f"{contender.key} is not installed") from None
