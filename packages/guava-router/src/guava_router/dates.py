"""HTTP dates (RFC 9110, section 5.6.7). Neither the locale nor the time zone matters."""

from __future__ import annotations

import calendar
import functools
import re
import time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_WORD = "[A-Z][a-z]{2}"
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMATS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        # IMF-fixdate, and the two of old that are still to be understood: RFC 850 and asctime().
        rf"{_WORD}, (?P<day>\d\d) (?P<month>{_WORD}) (?P<year>\d{{4}}) {_CLOCK} GMT",
        rf"[A-Z][a-z]+day, (?P<day>\d\d)-(?P<month>{_WORD})-(?P<year>\d\d) {_CLOCK} GMT",
        rf"{_WORD} (?P<month>{_WORD}) (?P<day>[ \d]\d) {_CLOCK} (?P<year>\d{{4}})",
    )
)


def http_date(seconds: float) -> str:
    """Seconds since 1970 as "Sun, 06 Nov 1994 08:49:37 GMT"."""
    return _whole_second(int(seconds))


@functools.lru_cache(maxsize=1024)  # files are asked for more often than they change
def _whole_second(seconds: int) -> str:
    t = time.gmtime(seconds)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04} "
        f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
    )


def parse_http_date(text: str) -> int | None:
    """Seconds since 1970, or None for what is no date (such a field is ignored)."""
    for pattern in _FORMATS:
        found = pattern.fullmatch(text)
        if found is None or found["month"] not in _MONTHS:
            continue
        year, month = _full_year(found["year"]), _MONTHS.index(found["month"]) + 1
        day = int(found["day"])
        clock = int(found["hour"]), int(found["minute"]), int(found["second"])
        # 60 is a leap second.
        if clock[0] > 23 or clock[1] > 59 or clock[2] > 60 or year < 1:
            return None
        if not 1 <= day <= calendar.monthrange(year, month)[1]:
            return None
        return calendar.timegm((year, month, day, *clock))
    return None


def _full_year(digits: str) -> int:
    """Two digits mean the year with these that is not more than 50 years ahead."""
    if len(digits) == 4:
        return int(digits)
    now = time.gmtime().tm_year
    year = now - now % 100 + int(digits)
    return year - 100 if year > now + 50 else year
