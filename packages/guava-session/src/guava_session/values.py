"""What a session may hold beyond plain JSON, in JSON's own forms: dates, bytes, decimals, UUIDs.

Each becomes a dict of one key that begins with "$": ``{"$date": "2026-11-23"}``. A dict of the
user's that looks like that is put into ``{"$dict": ...}``, so what goes in comes out as it was.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import decimal
import uuid
from collections.abc import Callable
from typing import Any

#: What every serializer keeps as it is.
PLAIN = frozenset({str, int, float, bool, type(None)})

#: What a store in this process may share, as nothing can change it. The native copies know the
#: first three: a zone that is not Python's own `timezone` is left to `pack`.
SHARED = (
    datetime.timezone,
    datetime.datetime,
    datetime.time,
    datetime.date,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
)

_DICT = "$dict"

_PACK: dict[type, tuple[str, Callable[[Any], Any]]] = {
    datetime.datetime: ("$datetime", datetime.datetime.isoformat),
    datetime.date: ("$date", datetime.date.isoformat),
    datetime.time: ("$time", datetime.time.isoformat),
    datetime.timedelta: (
        "$timedelta",
        lambda delta: [delta.days, delta.seconds, delta.microseconds],
    ),
    bytes: ("$bytes", lambda data: base64.b64encode(data).decode()),
    decimal.Decimal: ("$decimal", str),
    uuid.UUID: ("$uuid", str),
}

_UNPACK: dict[str, Callable[[Any], Any]] = {
    "$datetime": datetime.datetime.fromisoformat,
    "$date": datetime.date.fromisoformat,
    "$time": datetime.time.fromisoformat,
    "$timedelta": lambda parts: datetime.timedelta(*parts),
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$decimal": decimal.Decimal,
    "$uuid": uuid.UUID,
}

_REFUSED = (TypeError, ValueError, OverflowError, AttributeError, ArithmeticError, binascii.Error)


def pack(
    value: Any, path: str, native: frozenset[type] = frozenset(), inside: tuple[int, ...] = ()
) -> Any:
    """value in the forms that JSON has; value itself if it has no other.

    :param path: where it lies, for errors
    :param native: further types that the serializer keeps as they are
    :raises TypeError: for what has no form, naming the place
    :raises ValueError: for an infinite or NaN float, and for what contains itself
    """
    kind = type(value)
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"session key {path!r} holds {value!r}, which JSON cannot store")
        return value
    if kind in PLAIN or kind in native or isinstance(value, (str, int)):
        return value
    # Only the very types: a subclass would come back as something else.
    if kind in _PACK:
        tag, form = _PACK[kind]
        return {tag: form(value)}
    if not isinstance(value, (dict, list, tuple)):
        raise TypeError(
            f"session key {path!r} is of type {kind.__name__}, which a session cannot store; "
            "store a str, int, float, bool, None, bytes, date, time, datetime, timedelta, "
            "Decimal, UUID, list or dict instead"
        )
    if id(value) in inside:
        raise ValueError(f"session key {path!r} contains itself, which cannot be stored")
    inside = (*inside, id(value))
    if not isinstance(value, dict):
        items = [
            item
            if type(item) in PLAIN and type(item) is not float
            else pack(item, f"{path}[{index}]", native, inside)
            for index, item in enumerate(value)
        ]
        return items if any(map(_differ, items, value)) else value
    packed = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(
                f"session key {path!r} holds a dict with the key {key!r}; "
                "keys come back as str, so use a str"
            )
        packed[key] = pack(item, f"{path}.{key}", native, inside)
    if len(packed) == 1 and next(iter(packed)).startswith("$"):
        return {_DICT: packed}
    return packed if any(map(_differ, packed.values(), value.values())) else value


def unpack(value: Any) -> Any:
    """What pack() was given. Lists and dicts are changed in place.

    :raises ValueError: for a form that pack() does not make
    """
    if type(value) is list:
        for index, item in enumerate(value):
            if type(item) is list or type(item) is dict:
                value[index] = unpack(item)
        return value
    if type(value) is not dict:
        return value
    if len(value) == 1:
        (key,) = value
        if key.startswith("$"):
            return _unpack_tagged(key, value[key])
    for key, item in value.items():
        if type(item) is list or type(item) is dict:
            value[key] = unpack(item)
    return value


def _unpack_tagged(tag: str, form: Any) -> Any:
    if tag == _DICT and type(form) is dict:
        return {key: unpack(item) for key, item in form.items()}
    try:
        return _UNPACK[tag](form)
    except KeyError:
        raise ValueError(f"a session holds {tag!r}, which this version does not know") from None
    except _REFUSED:
        raise ValueError(f"a session holds {tag!r} of something else") from None


def _differ(a: object, b: object) -> bool:
    return a is not b
