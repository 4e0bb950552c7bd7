"""The Content-Type field and its parameters."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from ._core import parse_options_header

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_QUOTABLE = re.compile(r"[\t \x21-\x7e\x80-\xff]*")


class ContentType(NamedTuple):
    """A media type and its parameters; ``str(it)`` is the field's value.

    type: str in lower case, ``"text/html"``; ``""`` for a field that is missing or malformed.
    params: dict of str to str, names in lower case.
    """

    type: str
    params: dict[str, str]

    @property
    def charset(self) -> str | None:
        """str in lower case: the parameter charset; None without it."""
        value = self.params.get("charset")
        return value.lower() if value else None

    def __str__(self) -> str:
        return format_content_type(self.type, self.params) if self.type else ""


def parse_content_type(value: str | bytes | None) -> ContentType:
    """The parts of a Content-Type field (RFC 9110, 8.3.1).

    value: str, bytes, or None for a field that was not sent. What is no media type has the type
    ``""`` and no parameters.
    """
    name, params = parse_options_header(value)
    kind, slash, subtype = name.partition("/")
    if not slash or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(subtype):
        return ContentType("", {})
    return ContentType(name, params)


def format_content_type(type: str, params: Mapping[str, str] = {}) -> str:
    """The value of a Content-Type field: ``"text/html; charset=utf-8"``.

    type: str, a media type. params: a mapping of str to str; a value that is no token is put in
    double quotes.
    ValueError: the type is none, a parameter's name is no token, or a value has control
    characters or is not latin-1.
    """
    kind, slash, subtype = type.partition("/")
    if not slash or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(subtype):
        raise ValueError(f"a media type is such as 'text/html', found {type!r}")
    parts = [type]
    for name, text in params.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"a parameter's name is a token, found {name!r}")
        if not _TOKEN.fullmatch(text):
            if not _QUOTABLE.fullmatch(text):
                raise ValueError(
                    f"a parameter's value is latin-1 without control characters, found {text!r}"
                )
            text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        parts.append(f"{name}={text}")
    return "; ".join(parts)
