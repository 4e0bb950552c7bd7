"""Which library reads and writes JSON. The native half imports this when JSON is first needed.

Writing is orjson's if it is installed, else the standard library's. Reading is orjson's, else
msgspec's, else the standard library's. The result does not depend on which: what orjson cannot
write goes to the standard library, and what it would read differently (integers beyond 64 bits)
the native half hands to `loads_exact`. msgspec does not write, because it takes objects (sets,
bytes) that the others refuse, and a program would then depend on its being there.

- Written are what `json.dumps` takes, and besides dates, times, UUIDs, enumerations (their value)
  and dataclasses. Not-a-number and infinities are null, as JavaScript writes them.
- Read is what RFC 8259 calls JSON, in UTF-8: no byte order mark, no NaN, no number beyond a
  double's range, no lone surrogates.
"""

import dataclasses
import datetime
import enum
import importlib
import json
import math
import uuid
from collections.abc import Callable
from typing import Any

__all__ = ["dumps", "loads", "loads_exact"]


def _default(value: Any) -> Any:
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _finite(value: Any) -> Any:
    """The same value with None for each float that JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if value is None or isinstance(value, (str, int)):
        return value
    return _finite(_default(value))


def _writer(ascii_only: bool) -> Callable[[Any], str]:
    """json.dumps() with our settings. JSONEncoder makes its C encoder anew for each call, which
    costs more than a small answer; one that looks for no circles can be kept. (A circle is a
    RecursionError then.)"""
    encoder = json.JSONEncoder(
        ensure_ascii=ascii_only,
        check_circular=False,
        allow_nan=False,
        separators=(",", ":"),
        default=_default,
    )
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    quote = json.encoder.encode_basestring_ascii if ascii_only else json.encoder.encode_basestring
    try:
        encode = make(None, _default, quote, None, ":", ",", False, False, False)
        if "".join(encode(['"', {"a": 1.5}], 0)) == '["\\"",{"a":1.5}]':
            return lambda value: "".join(encode(value, 0))
    except TypeError:  # another Python's encoder, or none in C
        pass
    return encoder.encode


_write = _writer(ascii_only=False)
_write_ascii = _writer(ascii_only=True)


def _dumps_exact(value: Any) -> bytes:
    try:
        text = _write(value)
    except ValueError as error:
        if not str(error).startswith("Out of range float"):
            raise
        value = _finite(value)
        text = _write(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _write_ascii(value).encode()


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _number(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


_read = json.JSONDecoder(parse_float=_number, parse_constant=_refuse).decode


def loads_exact(body: bytes) -> Any:
    """Reads JSON with the standard library."""
    value = _read(body.decode("utf-8"))
    if b"\\u" in body:
        # A lone surrogate cannot be written anywhere: to a database, a file, another service.
        _write(value).encode()
    return value


def _optional(name: str) -> Any:
    """The module of a library that need not be installed, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_orjson = _optional("orjson")
_msgspec = None if _orjson else _optional("msgspec.json")


def _dumps_orjson(value: Any) -> bytes:
    try:
        text: bytes = _orjson.dumps(value, _default, _orjson.OPT_PASSTHROUGH_DATACLASS)
    except TypeError:
        text = _dumps_exact(value)
    return text


dumps: Callable[[Any], bytes] = _dumps_orjson if _orjson else _dumps_exact
loads: Callable[[bytes], Any] = loads_exact
if _orjson:
    loads = _orjson.loads
elif _msgspec:
    loads = _msgspec.Decoder().decode
