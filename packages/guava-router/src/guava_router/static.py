"""StaticRouter: the files of a directory, and certainly no others."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from . import patterns
from ._core import open_beneath
from .answers import AllowedMethods, Answer, MethodNotAllowed, RedirectHandler
from .files import StaticHandler
from .listing import Listing, read_entries
from .router import RequestLike, Route, RouteList, Router

METHODS = ("GET", "HEAD")
_LONGEST_PATH = 4096
_LONGEST_NAME = 255

# Refused in any path: control characters, backslashes (separators to some), empty segments, dot
# segments. The second expression refuses all that starts with a dot, except the directory that
# RFC 8615 puts files in.
_BAD = re.compile(r"[\x00-\x1f\x7f-\x9f\\]|//|/\.{1,2}(?:/|$)")
_BAD_OR_DOTFILE = re.compile(r"[\x00-\x1f\x7f-\x9f\\]|//|/\.(?!well-known(?:/|$))")

# What a client cannot change: it is not told apart from a file that is not there.
_NOT_FOUND = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EXDEV,
        errno.ELOOP,
        errno.EACCES,
        errno.EPERM,
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.ENXIO,  # a socket, or a device without a driver
        errno.ENODEV,
        errno.EAGAIN,
    }
)
_DIRECTORY_FLAGS = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


class StaticRouter(Router):
    """Serves the files of a directory.

    mount_point: where they appear. directory: the path of the directory, opened now and kept open,
    so that it may be renamed but not exchanged. allow_index: whether a directory without an
    index.html is shown as a list of its files. follow_symlinks: whether symbolic links work, as
    far as they stay in the directory. allow_dotfiles: whether names that start with a dot are
    served (".well-known" always is).

    route() returns a StaticHandler with the file open, a Listing, a RedirectHandler from a
    directory to its address with a slash, MethodNotAllowed for anything but GET and HEAD, or None.

    `req.path` counts as it is: decoded once, by whoever made the request.

    Raises FileNotFoundError, NotADirectoryError or PermissionError for a directory that cannot be
    opened.
    """

    def __init__(
        self,
        mount_point: str = "/static",
        directory: str | os.PathLike[str] = "./static",
        allow_index: bool = False,
        *,
        follow_symlinks: bool = False,
        allow_dotfiles: bool = False,
        session_store: Any = None,
    ) -> None:
        super().__init__(None, mount_point, session_store)
        self.directory = os.path.abspath(os.fspath(directory))
        self._prefix = self.directory.rstrip("/")
        self.allow_index = allow_index
        self.follow_symlinks = follow_symlinks
        self.allow_dotfiles = allow_dotfiles
        self._root = -1
        try:
            self._root = os.open(self.directory, _DIRECTORY_FLAGS)
        except OSError as error:
            what = f"StaticRouter({self.mount_point!r}): {error.strerror}"
            raise type(error)(error.errno, what, self.directory) from None

    def route(self, req: RequestLike) -> Any:
        """What answers this request, or None if it is for no file of the directory."""
        relative = self.relative(req.path)
        if relative is None:
            return None
        if self._registered().routes:
            registered = super().route(req)
            if registered is not None:
                return registered
        if req.method not in METHODS:
            if req.method == "OPTIONS":
                return AllowedMethods((*METHODS, "OPTIONS"))
            return MethodNotAllowed((*METHODS, "OPTIONS"))
        return self._find(relative, req.path)

    def resolve(self, path: str) -> Answer | StaticHandler | None:
        """What lies at a path under the mount point: "/css/app.css". None: nothing.

        The path starts with a slash and is not decoded again.
        """
        return self._find(path, patterns.join(self._mount, path))

    def routes(self) -> RouteList:
        """One line for the directory, and what was registered beside it."""
        pattern = patterns.join(self._mount, "/{path...}")
        here = RouteList([Route("GET", pattern, _Files(self.directory), "")])
        here.extend(super().routes())
        return here

    def close(self) -> None:
        """Closes the directory: from now on every path is unknown."""
        root, self._root = self._root, -1
        if root >= 0:
            os.close(root)

    def __del__(self) -> None:
        if getattr(self, "_root", -1) >= 0:
            self.close()

    def _may_ask(self, path: str) -> bool:
        bad = _BAD if self.allow_dotfiles else _BAD_OR_DOTFILE
        if len(path) > _LONGEST_PATH or path[:1] != "/" or bad.search(path) is not None:
            return False
        if len(path) <= _LONGEST_NAME and path.isascii():
            return True
        try:
            return all(len(name.encode()) <= _LONGEST_NAME for name in path.split("/"))
        except UnicodeEncodeError:
            return False

    def _open(self, path: str) -> int | None:
        """The descriptor of a checked path, or None. The path starts with a slash."""
        try:
            return open_beneath(self._root, path.strip("/") or ".", self.follow_symlinks)
        except OSError as error:
            if error.errno in _NOT_FOUND or self._root < 0:
                return None
            raise

    def _find(self, path: str, address: str) -> Answer | StaticHandler | None:
        """`address` is the whole path in the URL, for links."""
        if not self._may_ask(path):
            return None
        fd = self._open(path)
        if fd is None:
            return None
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and not path.endswith("/"):
            return self._handler(path, fd, status)
        with _closing(fd):
            if not stat.S_ISDIR(status.st_mode):
                return None
            if not address.endswith("/"):
                return _to_slash(address)
            return self._of_directory(fd, path, address)

    def _of_directory(self, fd: int, path: str, address: str) -> Answer | StaticHandler | None:
        index = path + "index.html"
        inner = self._open(index)
        if inner is not None:
            status = os.fstat(inner)
            if stat.S_ISREG(status.st_mode):
                return self._handler(index, inner, status)
            os.close(inner)
        if not self.allow_index:
            return None
        entries = read_entries(fd, lambda name: self._may_ask("/" + name))
        return Listing(address, entries, has_parent=path != "/")

    def _handler(self, path: str, fd: int, status: os.stat_result) -> StaticHandler:
        def again() -> int:
            return open_beneath(self._root, path[1:], self.follow_symlinks)

        return StaticHandler.opened(self._prefix + path, fd, status, again)


def _to_slash(address: str) -> RedirectHandler | None:
    """From a directory to itself with a slash; never to "//host", which is another server."""
    return None if address.startswith("//") else RedirectHandler(quote(address) + "/", 301)


class _Files:
    """Stands for a directory in a listing of routes."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def __repr__(self) -> str:
        return f"files of {self.directory}"


@contextlib.contextmanager
def _closing(fd: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(fd)
