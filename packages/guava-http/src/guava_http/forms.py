"""Forms that came in one piece: their fields and files."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from . import _core
from .body import refusal
from .filename import secure_filename
from .limits import Limits

if TYPE_CHECKING:
    from .multipart import PartHead

__all__ = ["FileDict", "Form", "UploadedFile"]

_USUAL = Limits()
LONGEST_LINE = 8192  # bytes of one header field of a part
_STEP = 64 * 1024  # bytes of a body that are parsed at a time
_AT_ONCE = 4 * _STEP  # bytes of a file that are written at a time


class UploadedFile:
    """A file of a form. It is closed, and gone from the disk, when nobody has it any more: with
    its request, unless you keep it.

    Attributes:
        name: str, the form field's name.
        filename: str as the client sent it. Never use it as a path; `safe_filename` is for that.
        content_type: str such as "image/png", in small letters, as the client claims; or None.
        headers: Headers of the part.
        size: int, bytes.
        file: a binary file object at its beginning: in memory, or on disk if it is longer than
            `Limits.part_memory`.
    """

    __slots__ = (
        "__weakref__",
        "_data",
        "_file",
        "_head",
        "content_type",
        "filename",
        "name",
        "size",
    )

    # Only the native parser makes those of a small file, and most are asked for neither.
    _head: bytes | _core.Headers
    _data: bytes
    _file: IO[bytes] | None

    def __init__(self, head: PartHead, memory: int) -> None:
        self.name = head.name
        self.filename = head.filename or ""
        self.content_type = head.content_type
        self._head = head.headers
        self.size = 0
        # Closed by close(), or with this object.
        self._file = cast("IO[bytes]", tempfile.SpooledTemporaryFile(memory))  # noqa: SIM115

    @classmethod
    def _of_bytes(
        cls,
        memory: int,
        name: str,
        filename: str,
        content_type: str | None,
        head: bytes,
        data: bytes,
    ) -> UploadedFile:
        self = cls.__new__(cls)
        self.name = name
        self.filename = filename
        self.content_type = None if content_type is None else content_type.lower()
        self._head = head
        self.size = len(data)
        self._data = data
        self._file = None
        if len(data) > memory:
            self._file = cast("IO[bytes]", tempfile.SpooledTemporaryFile(memory))  # noqa: SIM115
            self._data = b""
            self._file.write(data)
            self._file.seek(0)
        return self

    @property
    def file(self) -> IO[bytes]:
        """A binary file object: in memory, or on disk; see above."""
        if self._file is None:
            self._file = io.BytesIO(self._data)
        return self._file

    @property
    def headers(self) -> _core.Headers:
        """Headers of the part."""
        if isinstance(self._head, bytes):
            headers = _core.Headers()
            for line in self._head.decode("latin-1").split("\r\n")[:-1]:
                name, _, value = line.partition(": ")
                headers.add(name.title(), value)
            self._head = headers
        return self._head

    def __repr__(self) -> str:
        return f"<UploadedFile {self.filename!r}, {self.size} bytes>"

    @property
    def safe_filename(self) -> str:
        """str: a name made of `filename` that is no path and has no surprises; never empty."""
        return secure_filename(self.filename)

    def read(self, size: int = -1) -> bytes:
        """The next bytes of it: `size` at most, all that are left if it is negative."""
        return self.file.read(size)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes all of it to a file of this path, which is replaced if it is there. Blocks; in
        coroutines `await asyncio.to_thread(file.save, path)`.

        Raises:
            OSError: the path cannot be written.
        """
        self.file.seek(0)
        with open(path, "wb") as out:
            shutil.copyfileobj(self.file, out, _STEP)

    def close(self) -> None:
        """Lets go of its memory, or its file on disk."""
        self.file.close()

    def __enter__(self) -> UploadedFile:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.file)

    def __del__(self) -> None:
        file = getattr(self, "_file", None)
        if file is not None:
            file.close()


class FileDict(dict[str, UploadedFile]):
    """The files of a form by the names of their fields; the last of each name. `getlist` has all
    of a name, `multi_items` all of them."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: list[tuple[str, UploadedFile]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def getlist(self, name: str, /) -> list[UploadedFile]:
        """All files of a field, in their order; [] if there is none."""
        return [file for key, file in self._pairs if key == name]

    def multi_items(self) -> list[tuple[str, UploadedFile]]:
        """All pairs of a field's name and a file, in their order."""
        return list(self._pairs)


class Form(NamedTuple):
    """What a form has: its fields and its files."""

    fields: _core.QueryDict
    files: FileDict


def _write(file: IO[bytes], pieces: list[bytes]) -> None:
    file.writelines(pieces)
    file.flush()


class Builder:
    """A form out of what the parser says."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._late: list[bytes] = []  # of the file, to be written on a thread
        self._late_size = 0
        self._fields: list[tuple[str, str]] = []
        self._files: list[tuple[str, UploadedFile]] = []
        self._head: PartHead | None = None
        self._file: UploadedFile | None = None
        self._pieces: list[bytes] = []
        self._memory = 0

    def add(self, event: PartHead | bytes | None) -> None:
        if event is None:
            self._end()
        elif isinstance(event, bytes):
            self._more(event)
        else:
            self._head = event
            self._pieces = []
            self._file = None
            if event.filename is not None:
                self._file = UploadedFile(event, self._limits.part_memory)

    async def add_on_loop(self, event: PartHead | bytes | None) -> None:
        """As add(), but what goes to the disk, which may be slow, is written on a thread, several
        pieces at a time. Who waits for that reads no more from the client meanwhile."""
        file = self._file
        if file is not None and isinstance(event, bytes):
            size = file.size + len(event)
            if size > self._limits.part_memory:
                file.size = size
                self._late.append(event)
                self._late_size += len(event)
                if self._late_size >= _AT_ONCE:
                    await self._write_late(file)
                return
        if file is not None and event is None and self._late:
            await self._write_late(file)
        self.add(event)

    async def _write_late(self, file: UploadedFile) -> None:
        pieces, self._late, self._late_size = self._late, [], 0
        await asyncio.to_thread(_write, file.file, pieces)

    def _more(self, data: bytes) -> None:
        if self._file is not None:
            self._file.file.write(data)
            self._file.size += len(data)
            return
        # Fields stay in memory, however the body came: together no more than a body may.
        self._memory += len(data)
        if self._memory > self._limits.body:
            raise refusal(413, f"fields of more than {self._limits.body} bytes")
        self._pieces.append(data)

    def _end(self) -> None:
        head, file = self._head, self._file
        assert head is not None
        if file is None:
            self._fields.append((head.name, head.decode(b"".join(self._pieces))))
        elif file.filename or file.size:
            file.file.seek(0)
            self._files.append((head.name, file))
        # Else it is what browsers send where no file was chosen.
        self._head = self._file = None

    def form(self) -> Form:
        return Form(_core.QueryDict(self._fields), FileDict(self._files))


# ---- what the native half calls ----------------------------------------------------------------


def read_form(request: _core.Request) -> Form:
    """The form in a multipart body that is there."""
    limits: Limits = request._limits or _USUAL
    content_type = request.HEADERS.get("Content-Type") or ""
    body = request.body
    if len(body) > limits.body:
        # The handler's own limit let it in.
        limits = dataclasses.replace(limits, body=max(limits.body, len(body)))
    return usual_form(content_type, body, limits) or any_form(content_type, body, limits)


def usual_form(content_type: str, body: bytes, limits: Limits) -> Form | None:
    """The form, if it is as browsers write it and within the limits: then any_form() would give
    the same."""
    form = _core._parse_form(
        content_type,
        body,
        limits.form_parts,
        limits.part_head,
        limits.body,
        min(limits.part_head, LONGEST_LINE),
    )
    if form is None:
        return None
    fields, files = form
    memory = limits.part_memory
    return Form(
        _core.QueryDict(fields),
        FileDict([(file[0], UploadedFile._of_bytes(memory, *file)) for file in files]),
    )


def any_form(content_type: str, body: bytes, limits: Limits) -> Form:
    """The form, or the RequestError that refuses it."""
    from .multipart import Parser

    parser = Parser(content_type, limits)
    builder = Builder(limits)
    for start in range(0, len(body), _STEP):
        for event in parser.feed(body[start : start + _STEP]):
            builder.add(event)
    parser.finish()
    return builder.form()


def no_files(request: _core.Request) -> FileDict:
    return FileDict([])
