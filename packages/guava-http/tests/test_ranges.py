"""parse_range(): RFC 9110, sections 14.1.2 and 14.2."""

import random

import pytest
from guava_http import RequestError, parse_range


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # RFC 9110, 14.1.2, of 10 000 bytes
        ("bytes=0-499", [(0, 500)]),
        ("bytes=500-999", [(500, 1000)]),
        ("bytes=-500", [(9500, 10000)]),
        ("bytes=9500-", [(9500, 10000)]),
        ("bytes=0-0,-1", [(0, 1), (9999, 10000)]),
        ("bytes= 0-999, 4500-5499, -1000", [(0, 1000), (4500, 5500), (9000, 10000)]),
        # those that overlap or touch are one
        ("bytes=500-600,601-999", [(500, 1000)]),
        ("bytes=500-700,601-999", [(500, 1000)]),
        ("bytes=0-99,180-199", [(0, 200)]),
        ("bytes=0-99,181-199", [(0, 100), (181, 200)]),
        ("bytes=5000-,0-9,4000-6000", [(4000, 10000), (0, 10)]),
        ("bytes=200-299,0-99,400-499,100-450", [(0, 500)]),
        # ends beyond the end
        ("bytes=9999-99999", [(9999, 10000)]),
        ("bytes=-99999", [(0, 10000)]),
        ("bytes=0-" + "9" * 400, [(0, 10000)]),
        ("bytes=-" + "9" * 400, [(0, 10000)]),
        ("bytes=0-0,20000-", [(0, 1)]),
        ("bytes=20000-,-0,3-3", [(3, 4)]),
        # forms
        ("BYTES=0-0", [(0, 1)]),
        ("bytes=,0-0 ,\t,2-2,", [(0, 3)]),
        ("bytes=007-008", [(7, 9)]),
    ],
)
def test_ranges(value, expected):
    assert parse_range(value, 10_000) == expected
    assert parse_range(value.encode(), 10_000) == expected


@pytest.mark.parametrize(
    "value",
    [
        None, "", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=--1", "bytes=1", "bytes=a-b",
        "bytes=5-4", "bytes=0-0,5-4", "bytes=1-2-3", "bytes=1 -2", "bytes=1- 2", "bytes=+1-2",
        "bytes=0x1-2", "bytes=1-2;3-4", "bytes =0-1", "items=0-1", "bytes:0-1", "bytes=0-0\0",
        "bytes=\xb9-2", "bytes=0-0,*",
        "bytes=" + ",".join(f"{i * 200}-{i * 200}" for i in range(17)),
    ],
)  # fmt: skip
def test_ignored(value):
    assert parse_range(value, 10_000) is None


@pytest.mark.parametrize(
    "value",
    [
        "bytes=10000-",
        "bytes=10000-20000",
        "bytes=-0",
        "bytes=-0,20000-",
        "bytes=" + "9" * 400 + "-",
    ],
)
def test_unsatisfiable(value):
    with pytest.raises(RequestError) as caught:
        parse_range(value, 10_000)
    assert caught.value.status == 416


def test_of_nothing():
    assert parse_range("bytes=-5", 0) is None
    with pytest.raises(RequestError):
        parse_range("bytes=0-", 0)


def test_arguments():
    with pytest.raises(ValueError):
        parse_range("bytes=0-1", -1)
    with pytest.raises(OverflowError):
        parse_range("bytes=0-1", 2**63)
    with pytest.raises(TypeError):
        parse_range(1, 1)
    assert parse_range("bytes=-1", 2**63 - 1) == [(2**63 - 2, 2**63 - 1)]


def test_sixteen_are_the_most():
    value = "bytes=" + ",".join(f"{i * 200}-{i * 200}" for i in range(16))
    assert parse_range(value, 10_000) == [(i * 200, i * 200 + 1) for i in range(16)]


def model(specs, size):
    """The bytes that are asked for."""
    wanted = set()
    for first, last in specs:
        if first is None:
            wanted.update(range(max(0, size - last), size))
        else:
            wanted.update(range(first, min(size, size if last is None else last + 1)))
    return wanted


def test_nothing_is_missing_and_nothing_comes_twice():
    rng = random.Random(9110)
    for _ in range(3000):
        size = rng.choice([1, 2, 100, 1000])
        specs = []
        for _ in range(rng.randrange(1, 17)):
            first, last = sorted(rng.choices(range(size + 20), k=2))
            specs.append(rng.choice([(first, last), (first, None), (None, last)]))
        value = "bytes=" + ",".join(
            f"{'' if a is None else a}-{'' if b is None else b}" for a, b in specs
        )
        wanted = model(specs, size)
        if not wanted:
            with pytest.raises(RequestError):
                parse_range(value, size)
            continue
        found = parse_range(value, size)
        covered = [i for start, stop in found for i in range(start, stop)]
        assert len(covered) == len(set(covered)), value
        assert wanted <= set(covered), value
        # What comes in addition is a gap that costs less than a part's head.
        assert all(
            any(abs(i - j) <= 80 for j in (i - d for d in range(81)) if j in wanted)
            for i in set(covered) - wanted
        ), value


def test_hostile_fields_take_linear_time():
    for piece in ("0-0,", ",", " ,", "-", "9", "0-", "\t", "1-1, "):
        assert parse_range("bytes=" + piece * (1_000_000 // len(piece)), 100) is None
