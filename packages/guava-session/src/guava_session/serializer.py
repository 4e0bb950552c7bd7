"""How a session becomes bytes: plain JSON, or any object with the same two methods."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

Record = dict[str, Any]


@runtime_checkable
class Serializer(Protocol):
    """What a store needs to turn a session's dict into bytes and back."""

    def dumps(self, record: Mapping[str, Any], /) -> bytes:
        """The record as bytes. Raises TypeError or ValueError for what cannot be stored."""

    def loads(self, data: bytes, /) -> Record:
        """The record that dumps() was given. Raises ValueError for anything else."""


class JSONSerializer:
    """JSON (RFC 8259) in UTF-8.

    It stores None, bool, int, float, str, and lists, tuples (which come back as lists) and dicts
    with str keys of these. Everything else is a TypeError that says where it sits: JSON would
    otherwise turn the key 10 into "10" without a word, and the next request would not find it.
    """

    __slots__ = ()

    def dumps(self, record: Mapping[str, Any], /) -> bytes:
        """The record as bytes.

        Raises TypeError for a value that JSON has no form for, ValueError for an infinite or NaN
        float and for a value that contains itself; all of them name the key.
        """
        for key, value in record.items():
            if not isinstance(key, str):
                raise TypeError(f"a session's keys are str, not {type(key).__name__}: {key!r}")
            if type(value) not in _PLAIN:
                _check(value, key, ())
        try:
            return _encode(record).encode("utf-8", "surrogatepass")
        except (TypeError, ValueError):
            for key, value in record.items():
                _check(value, key, ())
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
        return record


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode
_PLAIN = frozenset({str, int, float, bool, type(None)})


def _check(value: object, path: str, inside: tuple[int, ...]) -> None:
    """Raise the error that names what in value JSON cannot keep; return if it can keep it all."""
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"session key {path!r} holds {value!r}, which JSON cannot store")
        return
    if value is None or isinstance(value, (str, int)):
        return
    if not isinstance(value, (dict, list, tuple)):
        raise TypeError(
            f"session key {path!r} is of type {type(value).__name__}, which JSON cannot store; "
            "store a str, int, float, bool, None, list or dict instead"
        )
    if id(value) in inside:
        raise ValueError(f"session key {path!r} contains itself, which JSON cannot store")
    inside = (*inside, id(value))
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(
                    f"session key {path!r} holds a dict with the key {key!r}; "
                    "JSON keeps keys as str, so use a str"
                )
            _check(item, f"{path}.{key}", inside)
    else:
        for index, item in enumerate(value):
            _check(item, f"{path}[{index}]", inside)


#: The serializer of a store that was given none.
JSON = JSONSerializer()
