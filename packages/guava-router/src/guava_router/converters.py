"""Converters: what a parameter of a pattern may be, as text in a path and as a value."""

from __future__ import annotations

import datetime
import decimal
import math
import re
import uuid
from typing import Any, Protocol, runtime_checkable

from .errors import RouteError

_DIGITS = 4300  # Python's own limit for reading an int, sys.int_info.default_max_str_digits
_INT = re.compile(r"-?[0-9]{1,4300}")
_FLOAT = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@runtime_checkable
class Converter(Protocol):
    """What `converters={"name": ...}` takes: two methods, which several threads may call."""

    def convert(self, text: str) -> Any:
        """The value of a decoded text of at least one character, without a slash.

        Raises ValueError if the text is none of this converter's: the pattern does not match.
        """

    def format(self, value: Any) -> str:
        """The text of a value, for url_for(), not percent-encoded.

        Raises ValueError or TypeError for a value that has none.
        """


def _refuse(what: str, value: object) -> TypeError:
    return TypeError(f"{what} was expected, not {value!r}")


class StrConverter:
    """One segment, or a part of one: any text but the empty one."""

    def convert(self, text: str) -> str:
        if not text or "/" in text:
            raise ValueError("text without a slash was expected")
        return text

    def format(self, value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise _refuse("a str or an int", value)
        return self.convert(value)


class PathConverter:
    """The rest of the path, slashes included: any text but the empty one."""

    def convert(self, text: str) -> str:
        if not text:
            raise ValueError("a path that is not empty was expected")
        return text

    def format(self, value: Any) -> str:
        if not isinstance(value, str):
            raise _refuse("a str", value)
        return self.convert(value)


class IntConverter:
    """Decimal ASCII digits, at most 4 300, with "-" before them if below zero; "007" is 7."""

    def convert(self, text: str) -> int:
        if not _INT.fullmatch(text):
            raise ValueError("decimal digits were expected")
        return int(text)

    def format(self, value: Any) -> str:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refuse("an int", value)
        return str(value)


class FloatConverter:
    """Decimal digits, with "-" before and a point and further digits behind if need be."""

    def convert(self, text: str) -> float:
        if len(text) > _DIGITS or not _FLOAT.fullmatch(text):
            raise ValueError("a decimal number such as 3 or -0.25 was expected")
        return float(text)

    def format(self, value: Any) -> str:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise _refuse("a float", value)
        if not math.isfinite(value):
            raise ValueError("a finite number was expected")
        text = repr(value)
        return format(decimal.Decimal(text), "f") if "e" in text else text


class UUIDConverter:
    """The 36 characters of a UUID with its dashes (RFC 9562, section 4), in either case."""

    def convert(self, text: str) -> uuid.UUID:
        if not _UUID.fullmatch(text):
            raise ValueError("a UUID of 32 hexadecimal digits and 4 dashes was expected")
        return uuid.UUID(text)

    def format(self, value: Any) -> str:
        if isinstance(value, str):
            return str(self.convert(value))
        if not isinstance(value, uuid.UUID):
            raise _refuse("a UUID", value)
        return str(value)


class DateConverter:
    """A calendar date as YYYY-MM-DD (ISO 8601, RFC 3339's full-date)."""

    def convert(self, text: str) -> datetime.date:
        if not _DATE.fullmatch(text):
            raise ValueError("a date such as 2024-02-29 was expected")
        return datetime.date.fromisoformat(text)

    def format(self, value: Any) -> str:
        if isinstance(value, datetime.datetime):
            value = value.date()
        if not isinstance(value, datetime.date):
            raise _refuse("a date", value)
        return value.isoformat()


# By rank: where several fit at one place, the smaller number is tried first. The native part has
# the same numbers.
RANKS = {"uuid": 1, "date": 2, "int": 3, "float": 4, "str": 254, "path": 255}
FIRST_OWN, LAST_OWN = 5, 253

BUILT_IN: dict[str, Converter] = {
    "uuid": UUIDConverter(),
    "date": DateConverter(),
    "int": IntConverter(),
    "float": FloatConverter(),
    "str": StrConverter(),
    "path": PathConverter(),
}


class Converters:
    """The converters that the patterns of one router may name, and their numbers."""

    def __init__(self) -> None:
        self._named: dict[str, Converter] = {}
        self._own: list[Converter] = []

    def add(self, converters: Any) -> None:
        """Makes own converters known by their names.

        Raises RouteError for a name that is no identifier or a built-in one's, TypeError for what
        lacks convert() or format().
        """
        self._named.update(check(converters))

    @property
    def has_own(self) -> bool:
        """Whether a pattern has named an own converter."""
        return bool(self._own)

    def find(self, name: str, beside: Any = None) -> tuple[Converter, int]:
        """A converter and its number. beside: converters for one pattern only."""
        if name in BUILT_IN:
            return BUILT_IN[name], RANKS[name]
        named = {**self._named, **(beside or {})}
        if name not in named:
            known = ", ".join([*BUILT_IN, *named])
            raise RouteError(f"there is no converter {name!r}; there are {known}")
        converter = named[name]
        for i, own in enumerate(self._own):
            if own is converter:
                return converter, FIRST_OWN + i
        if FIRST_OWN + len(self._own) > LAST_OWN:
            raise RouteError(f"a router has at most {LAST_OWN - FIRST_OWN + 1} own converters")
        self._own.append(converter)
        return converter, FIRST_OWN + len(self._own) - 1

    def callables(self) -> tuple[Any, ...]:
        """What the native part calls: for uuid, for date, and for each own converter."""
        return (
            uuid.UUID,
            datetime.date.fromisoformat,
            *(own.convert for own in self._own),
        )


def check(converters: Any) -> dict[str, Converter]:
    """Own converters as a dict; raises what Converters.add() does."""
    checked = dict(converters or {})
    for name, converter in checked.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise RouteError(f"a converter's name must be an identifier, not {name!r}")
        if name in BUILT_IN:
            raise RouteError(f"{name!r} is a built-in converter, give yours another name")
        if isinstance(converter, type) or not isinstance(converter, Converter):
            raise TypeError(
                f"the converter {name!r} must be an object with convert(text) and "
                f"format(value), not {converter!r}"
            )
    return checked
