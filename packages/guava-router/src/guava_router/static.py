"""StaticRouter: the files of a directory, and certainly no others."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any

from . import patterns
from ._core import open_beneath
from .answers import AllowedMethods, Answer, MethodNotAllowed, NotFound, SlashRedirect
from .caching import CacheRule, by_fingerprint
from .caching import rule as cache_rule
from .codings import suffixes
from .decision import FileDecision, Headers
from .files import StaticHandler
from .listing import Listing, read_entries
from .router import RequestLike, Route, RouteList, Router
from .servable import policy

METHODS = ("GET", "HEAD")
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
    served (".well-known" always is). allow_device_names: whether names are served that Windows
    takes for devices (con, prn, aux, nul, com1, lpt1..., also aux.js).

    precompressed: True, or suffixes out of "br", "zst" and "gz": if the client takes it, the file
    with that further suffix is sent instead (app.js.br for app.js), provided that it is not older.
    cache: the value of Cache-Control, or a function that makes it of a file's path in the
    directory ("/css/app.css"), or None; by default a year for names with a digest
    (app.3f2a9c1b.js) and nothing for others.

    decide() tells what a whole request is answered with. route() returns a StaticHandler with the
    file open, a Listing, a SlashRedirect from a directory to its address with a slash,
    MethodNotAllowed for anything but GET and HEAD, or None.

    `req.path` counts as it is: decoded once, by whoever made the request.

    Raises FileNotFoundError, NotADirectoryError or PermissionError for a directory that cannot be
    opened, TypeError or ValueError for a bad `precompressed` or `cache`.
    """

    def __init__(
        self,
        mount_point: str = "/static",
        directory: str | os.PathLike[str] = "./static",
        allow_index: bool = False,
        *,
        follow_symlinks: bool = False,
        allow_dotfiles: bool = False,
        allow_device_names: bool = False,
        precompressed: bool | Iterable[str] = False,
        cache: str | CacheRule | None = by_fingerprint,
        session_store: Any = None,
    ) -> None:
        self._root = -1
        super().__init__(None, mount_point, session_store)
        self.directory = os.path.abspath(os.fspath(directory))
        self._prefix = self.directory.rstrip("/")
        self.allow_index = allow_index
        self.follow_symlinks = follow_symlinks
        self.allow_dotfiles = allow_dotfiles
        self.allow_device_names = allow_device_names
        self.precompressed = suffixes(precompressed)
        self._cache = cache_rule(cache)
        self._may_ask = policy(allow_dotfiles, allow_device_names)
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
        return self._refusal(req.method) or self._find(relative, req.path)

    def decide(self, method: str, path: str, headers: Headers = ()) -> FileDecision | Answer:
        """What a request is answered with: a FileDecision, which the caller closes, or a complete
        Answer (NotFound, MethodNotAllowed, SlashRedirect, Listing...).

        method: in capital letters. path: with the mount point, decoded once, without a query.
        headers: the fields of the request, a mapping or (name, value) pairs, each str or bytes.

        What was registered beside the files does not count here. A SlashRedirect is to be sent
        as with_query(the request's query).
        """
        relative = self.relative(path)
        if relative is None:
            return NotFound()
        found = self._refusal(method) or self._find(relative, path) or NotFound()
        return found.decide(method, headers) if isinstance(found, StaticHandler) else found

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

    def _refusal(self, method: str) -> Answer | None:
        """What another method than GET and HEAD is answered with."""
        if method in METHODS:
            return None
        kind = AllowedMethods if method == "OPTIONS" else MethodNotAllowed
        return kind((*METHODS, "OPTIONS"))

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
        def again(suffix: str) -> int:
            return open_beneath(self._root, path[1:] + suffix, self.follow_symlinks)

        try:
            cache = self._cache(path)
        except BaseException:
            os.close(fd)
            raise
        whole = self._prefix + path
        return StaticHandler.opened(whole, fd, status, again, self.precompressed, cache)


def _to_slash(address: str) -> SlashRedirect | None:
    """From a directory to itself with a slash; never to "//host", which is another server."""
    return None if address.startswith("//") else SlashRedirect(address)


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
