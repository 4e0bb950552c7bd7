"""Compression of answers: what is compressed, and how, by negotiation (RFC 9110, 12.5.3).

It is off unless the server or a response asks for it. A page that shows a secret (a CSRF token,
say) beside what an attacker can choose tells the secret by its compressed length (BREACH); and a
proxy in front may do it better. Nothing here changes the response it is given: one response may
be the answer of many requests.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from ._core import FileBody, Headers, Request, Response, best_encoding, status_phrase

__all__ = ["Compression", "encode"]

_TYPES = (
    "text/",
    "+json",
    "+xml",
    "+text",
    "application/json",
    "application/javascript",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "application/wasm",
    "application/graphql",
    "application/yaml",
    "application/toml",
    "application/sql",
    "application/x-www-form-urlencoded",
    "application/vnd.ms-fontobject",
    "font/ttf",
    "font/otf",
    "image/bmp",
    "image/x-icon",
    "image/vnd.microsoft.icon",
)

# From here on a thread does it: the loop is to be back within a millisecond or two.
_BIG = 32 * 1024

# With these the response says something about its very bytes.
_BOUND = ("Content-Encoding", "Content-Range", "Content-Digest", "Digest", "Content-MD5")


class _Encoder(Protocol):
    """Compresses a body piece by piece."""

    def add(self, data: bytes) -> bytes:
        """All that a client needs to read `data`, now."""
        ...

    def finish(self, data: bytes = b"") -> bytes:
        """`data` and the end."""
        ...


class _Gzip:
    def __init__(self, level: int) -> None:
        self._object = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def add(self, data: bytes) -> bytes:
        return self._object.compress(data) + self._object.flush(zlib.Z_SYNC_FLUSH)

    def finish(self, data: bytes = b"") -> bytes:
        return self._object.compress(data) + self._object.flush()


class _Brotli:
    def __init__(self, module: Any, level: int) -> None:
        self._object = module.Compressor(quality=level)

    def add(self, data: bytes) -> bytes:
        return bytes(self._object.process(data) + self._object.flush())

    def finish(self, data: bytes = b"") -> bytes:
        return bytes(self._object.process(data) + self._object.finish())


class _Zstandard:
    def __init__(self, module: Any, level: int) -> None:
        self._object = module.ZstdCompressor(level)
        self._block = module.ZstdCompressor.FLUSH_BLOCK
        self._frame = module.ZstdCompressor.FLUSH_FRAME

    def add(self, data: bytes) -> bytes:
        return bytes(self._object.compress(data, self._block))

    def finish(self, data: bytes = b"") -> bytes:
        return bytes(self._object.compress(data, self._frame))


@functools.cache
def _first_module(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def _brotli() -> Any:
    return _first_module("brotli", "brotlicffi")


def _zstd() -> Any:
    return _first_module("compression.zstd", "backports.zstd")


def _installed() -> tuple[str, ...]:
    codings = []
    if _zstd() is not None:
        codings.append("zstd")
    if _brotli() is not None:
        codings.append("br")
    return (*codings, "gzip")


@dataclass(frozen=True, kw_only=True)
class Compression:
    """How a server compresses its answers: `Server(..., compress=Compression(...))`.

    Bodies of str, bytes and JSON are compressed as a whole, on a thread when they are larger than
    32 KiB. Of iterators and event streams each piece goes out when it is made, compressed so far
    that the client can read all of it. Left alone are files (see FileResponse for files that are
    compressed in advance), answers to ranges, what is encoded already or has a digest of its
    bytes, and what says Cache-Control: no-transform.

    Args:
        codings: the ones to offer, the most welcome first; None: "zstd" and "br" where their
            libraries are installed (`guava-http[compression]`), and "gzip".
        minimum: bytes; smaller bodies are sent as they are. Of iterators nobody knows.
        types: of the bodies that are compressed. "text/" is all that begin so, "+json" all that
            end so.
        gzip_level: 1 to 9, from fast to small.
        brotli_level: 0 to 11.
        zstd_level: 1 to 19.

    Raises:
        ValueError: a coding that is not known or whose library is missing; a number out of range.
    """

    codings: tuple[str, ...] | None = None
    minimum: int = 1024
    types: tuple[str, ...] = _TYPES
    gzip_level: int = 5
    brotli_level: int = 4
    zstd_level: int = 3

    def __post_init__(self) -> None:
        installed = _installed()
        codings = installed if self.codings is None else tuple(self.codings)
        for coding in codings:
            if coding not in ("zstd", "br", "gzip"):
                raise ValueError(f"a coding is zstd, br or gzip, not {coding!r}")
            if coding not in installed:
                raise ValueError(f"the library for {coding} is missing: guava-http[compression]")
        object.__setattr__(self, "codings", codings)
        object.__setattr__(self, "types", tuple(kind.lower() for kind in self.types))
        for name, least, most in (
            ("minimum", 0, 2**40),
            ("gzip_level", 1, 9),
            ("brotli_level", 0, 11),
            ("zstd_level", 1, 19),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name} must be an int, not {type(value).__name__}")
            if not least <= value <= most:
                raise ValueError(f"{name} is from {least} to {most}, found {value}")

    def __call__(self, request: Request, result: Any) -> Any:
        """What to send instead of `result`; the server calls this.

        Gives the result itself where there is nothing to compress, a new Response, or a coroutine
        that gives one.
        """
        if not isinstance(result, Response):
            if isinstance(result, FileBody) or (
                isinstance(result, (str, bytes)) and len(result) * 4 < self.minimum
            ):
                return result
            try:
                result = Response(result)
            except TypeError:
                return result  # the server says what a handler may give
        body = result.body
        if isinstance(body, str):
            body = body.encode()
        if not self._suits(result, body):
            return result
        assert self.codings is not None
        coding = best_encoding(request.headers.get("Accept-Encoding"), self.codings)
        if coding is None or coding == "identity":
            # Who refuses everything gets what there is: it is up to us (RFC 9110, 12.5.3).
            return _remade(result, body, None)
        encoder = self._encoder(coding)
        if not isinstance(body, bytes):
            return _remade(result, _Pieces(body, encoder), coding)
        if len(body) > _BIG:
            return _on_thread(result, body, encoder.finish, coding)
        return _remade(result, encoder.finish(body), coding)

    def _suits(self, response: Response, body: Any) -> bool:
        if body is None or isinstance(body, FileBody) or response.status in (204, 205, 206, 304):
            return False
        if isinstance(body, bytes) and len(body) < self.minimum:
            return False
        kind = (response.content_type or "").partition(";")[0].strip().lower()
        for wanted in self.types:
            if kind == wanted:
                break
            if wanted.endswith("/") and kind.startswith(wanted):
                break
            if wanted.startswith("+") and kind.endswith(wanted):
                break
        else:
            return False
        headers = response.headers
        if any(name in headers for name in _BOUND):
            return False
        return "no-transform" not in headers.get("Cache-Control", "").lower()

    def _encoder(self, coding: str) -> _Encoder:
        if coding == "zstd":
            return _Zstandard(_zstd(), self.zstd_level)
        if coding == "br":
            return _Brotli(_brotli(), self.brotli_level)
        return _Gzip(self.gzip_level)


async def _on_thread(
    response: Response, body: bytes, finish: Callable[[bytes], bytes], coding: str
) -> Response:
    return _remade(response, await asyncio.to_thread(finish, body), coding)


def _remade(response: Response, body: Any, coding: str | None) -> Response:
    headers = response.headers.copy()
    _vary(headers)
    if coding is not None:
        headers["Content-Encoding"] = coding
        headers.pop("Content-Length", "")
        headers.pop("Accept-Ranges", "")
        tag = headers.get("ETag", "")
        if tag.startswith('"'):
            # Not the same bytes as without the coding (RFC 9110, 8.8.3.3).
            headers["ETag"] = "W/" + tag
    made = Response(body, response.status, headers, content_type=response.content_type)
    if response.reason != status_phrase(response.status):
        made.reason = response.reason
    made.trailers = response.trailers
    made.compression = False
    return made


def _vary(headers: Headers) -> None:
    names = [name.strip().lower() for name in headers.get("Vary", "").split(",")]
    if "*" not in names and "accept-encoding" not in names:
        headers.add("Vary", "Accept-Encoding")


class _Pieces:
    """An iterator's pieces, compressed; it ends and is closed as that is."""

    def __init__(self, source: Any, encoder: _Encoder) -> None:
        self._encoded = _encoded(source, encoder)
        end = getattr(source, "end", None)
        if end is not None:
            self.end = end

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._encoded

    def aclose(self) -> Coroutine[Any, Any, None]:
        return self._encoded.aclose()


async def _encoded(source: Any, encoder: _Encoder) -> AsyncGenerator[bytes, None]:
    try:
        if isinstance(source, AsyncIterable):
            async for piece in source:
                if data := await _add(encoder, piece):
                    yield data
        else:
            for piece in source:
                if data := await _add(encoder, piece):
                    yield data
        yield encoder.finish()
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


async def _add(encoder: _Encoder, piece: Any) -> bytes:
    data = _bytes(piece)
    if len(data) > _BIG:
        return await asyncio.to_thread(encoder.add, data)
    return encoder.add(data) if data else b""


def _bytes(piece: Any) -> bytes:
    if isinstance(piece, str):
        return piece.encode()
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(piece)
    raise TypeError(f"the pieces of a body are str or bytes, not {type(piece).__name__}")


_default: Compression | None = None


def encode(request: Request, result: Any) -> Any:
    """Compression's defaults, for a response that asks for it on a server that was told nothing.

    Args:
        request: the request that is answered.
        result: a Response.
    """
    global _default
    if _default is None:
        _default = Compression()
    return _default(request, result)
