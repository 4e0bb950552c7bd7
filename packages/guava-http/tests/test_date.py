"""Dates as HTTP writes and reads them, RFC 9110, 5.6.7."""

import datetime
import random
import time

import pytest
from guava_http import http_date, parse_date

UTC = datetime.UTC
EXAMPLE = datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994",
    ],
)
def test_three_forms(text):
    assert parse_date(text) == parse_date(text.encode()) == EXAMPLE
    assert parse_date(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", (1970, 1, 1)),
        ("Mon, 01 Jan 0001 00:00:00 GMT", (1, 1, 1)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", (9999, 12, 31, 23, 59, 59)),
        ("Tue, 29 Feb 2000 00:00:00 GMT", (2000, 2, 29)),
        ("Sat, 31 Dec 2016 23:59:60 GMT", (2017, 1, 1)),  # there was one
        ("Sat Dec 31 23:59:60 2016", (2017, 1, 1)),
    ],
)
def test_ends_of_the_calendar(text, expected):
    assert parse_date(text) == datetime.datetime(*expected, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Mon, 06 Nov 1994 08:49:37 GMT",  # it was a Sunday
        "Sun,  06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:60 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Wed, 00 Nov 1994 08:49:37 GMT",
        "Thu, 31 Nov 1994 08:49:37 GMT",
        "Tue, 30 Feb 2000 00:00:00 GMT",
        "Thu, 29 Feb 1900 00:00:00 GMT",
        "Sat, 01 Jan 0000 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:60 GMT",
        "Sun, 06 Nov 1994 08:49:3\uff17 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 6-Nov-94 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Monday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  6 08:49:37 94",
        "784111777",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 GMT\x00",
    ],
)
def test_anything_else_is_an_error(text):
    with pytest.raises(ValueError):
        parse_date(text)


def test_types():
    with pytest.raises(TypeError, match="a date must be a str, not int"):
        parse_date(784111777)
    with pytest.raises(TypeError):
        parse_date(None)


def test_what_is_written_is_read():
    pick = random.Random(3)
    low = int(datetime.datetime(1, 1, 1, tzinfo=UTC).timestamp())
    high = int(datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    for _ in range(5000):
        seconds = pick.randint(low, high)
        date = parse_date(http_date(seconds))
        assert date == datetime.datetime.fromtimestamp(seconds, UTC)
        assert parse_date(date.strftime("%a %b ") + f"{date:%e %H:%M:%S} {date.year:04}") == date


def test_two_digits_of_a_year():
    now = datetime.datetime.fromtimestamp(time.time(), UTC).replace(microsecond=0)
    for years in range(-48, 50):
        date = now.replace(year=now.year + years, day=min(now.day, 28))
        assert parse_date(f"{date:%A, %d-%b-%y %H:%M:%S GMT}") == date
    far = now.replace(year=now.year - 49, day=min(now.day, 28))
    assert parse_date(f"{far:%A, %d-%b-%y %H:%M:%S GMT}") == far


def test_changed_dates_are_refused_or_other_dates():
    pick = random.Random(4)
    texts = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT"]
    texts.append("Sun Nov  6 08:49:37 1994")
    for _ in range(20_000):
        text = list(pick.choice(texts))
        for _ in range(pick.randrange(1, 4)):
            text[pick.randrange(len(text))] = chr(pick.randrange(256))
        try:
            date = parse_date("".join(text))
        except ValueError:
            continue
        assert 1 <= date.year <= 9999
        assert parse_date(http_date(date)) == date
