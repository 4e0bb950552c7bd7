"""How a session becomes bytes: JSON, or any object with the same two methods."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from ._core import is_plain
from .values import PLAIN, pack, unpack

Record = dict[str, Any]


@runtime_checkable
class Serializer(Protocol):
    """What a store needs to turn a session's dict into bytes and back."""

    def dumps(self, record: Mapping[str, Any], /) -> bytes:
        """The record as bytes. Raises TypeError or ValueError for what cannot be stored."""

    def loads(self, data: bytes, /) -> Record:
        """The record that dumps() was given. Raises ValueError for anything else."""


class JSONSerializer:
    """JSON (RFC 8259) in UTF-8, with forms of its own for what JSON lacks.

    It stores None, bool, int, float, str, bytes, date, time, datetime, timedelta, Decimal, UUID,
    and lists, tuples (which come back as lists) and dicts with str keys of these. A datetime keeps
    its offset from UTC, not the name of its zone. Everything else is a TypeError that says where
    it sits: JSON would otherwise turn the key 10 into "10" without a word, and the next request
    would not find it.
    """

    __slots__ = ()

    def dumps(self, record: Mapping[str, Any], /) -> bytes:
        """The record as bytes.

        Raises TypeError for a value that has no form, ValueError for an infinite or NaN float and
        for a value that contains itself; all of them name the key.
        """
        try:
            return _encode(packed(record)).encode("utf-8", "surrogatepass")
        except ValueError:
            for key, value in record.items():
                pack(value, key)
            raise

    def loads(self, data: bytes, /) -> Record:
        """The record; ValueError when data is not a JSON object."""
        text = str(data, "utf-8", "surrogatepass").strip()
        # Half the time of json.loads(), which looks for blanks and byte order marks.
        record, end = _decode(text)
        if end != len(text):
            raise ValueError("a session is one JSON object; there is more behind it")
        if type(record) is not dict:
            raise ValueError(f"a session is a JSON object, not {type(record).__name__}")
        return unpacked(record) if '"$' in text else record


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


def packed(record: Mapping[str, Any], native: frozenset[type] = frozenset()) -> Mapping[str, Any]:
    """The record with every value in the forms of `values`; itself if they are all plain."""
    if is_plain(record):
        return record
    changed = {}
    for key, value in record.items():
        if not isinstance(key, str):
            raise TypeError(f"a session's keys are str, not {type(key).__name__}: {key!r}")
        if type(value) not in PLAIN:
            form = pack(value, key, native)
            if form is not value:
                changed[key] = form
    return {**record, **changed} if changed else record


def unpacked(record: Record) -> Record:
    """What packed() was given."""
    for key, value in record.items():
        record[key] = unpack(value)
    return record


#: The serializer of a store that was given none.
JSON = JSONSerializer()
