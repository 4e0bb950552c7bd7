"""MsgspecSerializer: sessions as MessagePack, made by msgspec: smaller and faster than JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .serializer import Record, packed, unpacked

_NATIVE = frozenset({bytes})


class MsgspecSerializer:
    """MessagePack by the package msgspec (``pip install guava-session[msgspec]``).

    It stores what `JSONSerializer` does, but integers only of 64 bits.

    :raises ImportError: msgspec is not installed
    """

    __slots__ = ("_decode", "_encode")

    def __init__(self) -> None:
        try:
            import msgspec
        except ImportError:
            raise ImportError(
                "MsgspecSerializer needs msgspec: pip install guava-session[msgspec]"
            ) from None
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(dict[str, Any]).decode

    def dumps(self, record: Mapping[str, Any], /) -> bytes:
        """The record as bytes.

        Raises TypeError for a value that has no form, ValueError for a NaN or infinite float, an
        integer of more than 64 bits, and for a value that contains itself.
        """
        try:
            return bytes(self._encode(packed(record, _NATIVE)))
        except OverflowError as error:
            raise ValueError(f"a session holds an integer of more than 64 bits: {error}") from None

    def loads(self, data: bytes, /) -> Record:
        """The record; ValueError when data is no MessagePack of a dict."""
        record: Record = self._decode(data)  # its errors are ValueErrors
        return unpacked(record) if b"$" in data else record
