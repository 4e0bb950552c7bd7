"""The selector that asyncio expects a loop to have.

The loop polls through libuv, so this one never polls and has no descriptor of its own. It only
answers asyncio's questions: transports look into it when they describe themselves.
"""

from __future__ import annotations

import selectors
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

    from ._core import Core


class Selector(selectors.BaseSelector):
    """A window on the files that a loop watches."""

    def __init__(self) -> None:
        self._core: Core | None = None

    def attach(self, core: Core) -> None:
        """Names the loop to look into."""
        self._core = core

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        """The watched descriptors, each with asyncio's data: its (reader, writer) handles."""
        if self._core is None:
            return {}
        found: dict[Any, selectors.SelectorKey] = {}
        for fd, (reader, writer) in self._core._polled().items():
            events = selectors.EVENT_READ if reader is not None else 0
            if writer is not None:
                events |= selectors.EVENT_WRITE
            found[fd] = selectors.SelectorKey(fd, fd, events, (reader, writer))
        return found

    def get_key(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        """What is watched of one file.

        Raises:
            KeyError: nothing is.
        """
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        try:
            return self.get_map()[fd]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None

    def register(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> NoReturn:
        """Not for this selector: use the loop's add_reader() and add_writer()."""
        raise NotImplementedError("the loop polls through libuv: use add_reader(), add_writer()")

    def unregister(self, fileobj: FileDescriptorLike) -> NoReturn:
        """Not for this selector: use the loop's remove_reader() and remove_writer()."""
        raise NotImplementedError("the loop polls through libuv: use remove_reader()")

    def select(self, timeout: float | None = None) -> NoReturn:
        """Not for this selector: the loop polls through libuv."""
        raise NotImplementedError("the loop polls through libuv")

    def close(self) -> None:
        """Lets go of the loop."""
        self._core = None
