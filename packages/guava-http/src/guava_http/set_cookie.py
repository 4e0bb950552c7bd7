"""The Set-Cookie field as a browser reads it, RFC 6265, 5.2: for tests and for clients."""

import calendar
import re
from typing import Any

from ._core import Cookie

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DELIMITERS = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_SAME_SITE = {"strict": "Strict", "lax": "Lax", "none": "None"}


def _cookie_date(text: str) -> int | None:
    """Seconds since 1970 of what browsers take for a date (RFC 6265, 5.1.1)."""
    time: tuple[int, ...] | None = None
    day = month = year = None
    for token in _DELIMITERS.split(text[:256]):
        if time is None and (found := _TIME.match(token)):
            time = tuple(map(int, found.groups()))
        elif day is None and (found := _DAY.match(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := _YEAR.match(token)):
            year = int(found[1])
    if time is None or day is None or month is None or year is None:
        return None
    year += 1900 if 70 <= year <= 99 else 2000 if year <= 69 else 0
    if year < 1601 or time[0] > 23 or time[1] > 59 or time[2] > 59:
        return None
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return calendar.timegm((year, month, day, *time))


def parse_set_cookie(header: str) -> Cookie:
    """Cookie.from_header() calls this."""
    if not isinstance(header, str):
        raise TypeError(f"from_header() takes a str, not {type(header).__name__}")
    pair, _, rest = header.partition(";")
    name, equals, value = pair.partition("=")
    if not equals:
        raise ValueError(f"a Set-Cookie field begins with name=value, found {pair!r}")
    # Of an attribute that comes twice browsers take the last.
    options: dict[str, Any] = {"path": None, "samesite": None}
    for attribute in rest.split(";"):
        key, _, text = attribute.partition("=")
        key, text = key.strip(" \t").lower(), text.strip(" \t")
        if key in ("secure", "httponly", "partitioned"):
            options[key] = True
        elif key == "max-age" and re.fullmatch(r"-?[0-9]{1,18}", text):
            options["max_age"] = int(text)
        elif key == "expires":
            options["expires"] = _cookie_date(text)
        elif key == "path":
            options["path"] = text if text.startswith("/") else None
        elif key == "domain" and text:
            options["domain"] = text.lstrip(".").lower() or None
        elif key == "samesite":
            options["samesite"] = _SAME_SITE.get(text.lower())
    return Cookie(name.strip(" \t"), value.strip(" \t"), **options)
