"""What a handful of session ids tells of how they are made.

A few ids can prove that a generator is bad; no number of ids can prove that it is good. So what is
said here are upper bounds, and faults that chance alone makes less often than once in a million.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import math
import re
import string
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

#: Alphabets that ids are written in, the smallest first; the name, and its characters.
_ALPHABETS = [
    ("decimal", string.digits),
    ("hexadecimal", string.digits + "abcdef"),
    ("HEXADECIMAL", string.digits + "ABCDEF"),
    ("base32", string.ascii_lowercase + "234567"),
    ("BASE32", string.ascii_uppercase + "234567"),
    ("a-z0-9", string.ascii_lowercase + string.digits),
    ("A-Z0-9", string.ascii_uppercase + string.digits),
    ("A-Za-z0-9", string.ascii_letters + string.digits),
    ("base64url", string.ascii_letters + string.digits + "-_"),
    ("base64", string.ascii_letters + string.digits + "+/"),
]

_UUID1 = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")

#: z of a normal distribution that chance exceeds less than once in a million.
_RARE = 4.9

_SEALED = re.compile(r'"(iv|enc|ciphertext)":')

_COUNTERS = 5000  # ids that are the digest of a small number are tried up to this one


@dataclass(slots=True)
class Analysis:
    """What `analyse` found."""

    length: int  #: characters
    alphabet: str
    bits: float  #: at most so many differ between two ids
    problems: list[str] = field(default_factory=list)
    #: What the value holds if it is no id but the session itself; "" otherwise.
    content: str = ""

    @property
    def encrypted(self) -> bool:
        """Whether what it holds says that it is encrypted (Laravel's cookies, a JWE)."""
        return _SEALED.search(self.content) is not None


def analyse(values: Sequence[str], times: Sequence[float], words: Sequence[str] = ()) -> Analysis:
    """Look at ids that a site gave to different visitors.

    :param values: the ids, in the order in which they were given; two or more
    :param times: when, in seconds since 1970
    :param words: what an id might be made from: the user's name, say
    """
    content = find_content(values[0])
    parts = [re.split(r"[.:|$%]", value) for value in values]
    if len({len(part) for part in parts}) == 1:
        # Of a value of several parts the strongest counts: the others may be data.
        columns = [list(column) for column in zip(*parts, strict=True) if all(column)]
    else:
        columns = []
    looked = [_analyse_part(column, times, words) for column in columns or [list(values)]]
    best = max(looked, key=lambda part: (not part.problems, part.bits))
    best.length = len(values[0])
    best.content = content
    if len(set(values)) < len(values):
        best.bits = min(best.bits, math.log2(len(set(values))))
        best.problems = ["two visitors were given the same one"]
    return best


def _analyse_part(values: Sequence[str], times: Sequence[float], words: Sequence[str]) -> Analysis:
    values = _unwrapped(values)
    size = min(map(len, values))
    varying = [n for n in range(size) if len({value[n] for value in values}) > 1]
    pool = [value[n] for value in values for n in varying if value[n] not in "-="]
    name, characters = _alphabet("".join(pool))
    bits = len(varying) * math.log2(len(characters)) if characters else 0.0
    if name.startswith("base64") and len(varying) == size:
        bits = bits // 8 * 8  # of the last character some bits mean nothing
    found = Analysis(size, name, bits)
    for look in (_sequence, _time_based):
        problem = look(values, times)
        if problem:
            found.problems.append(problem)
            found.bits = min(found.bits, 32.0)
    problem = _digest_of(values, times, words) or _uneven(pool)
    if problem:
        found.problems.append(problem)
    return found


def _unwrapped(values: Sequence[str]) -> Sequence[str]:
    """What is in base64, if that is text: such text makes uneven base64 of a sound id."""
    try:
        texts = [_decode(value) for value in values]
    except (ValueError, binascii.Error):
        return values
    if all(len(text) >= 16 and _is_text(text) and text.isascii() for text in texts):
        return [text.decode("ascii") for text in texts]
    return values


def _alphabet(text: str) -> tuple[str, str]:
    for name, characters in _ALPHABETS:
        if set(text) <= set(characters):
            return name, characters
    return "other characters", "".join(sorted(set(text)))


# Numbers.


def _numbers(values: Sequence[str]) -> list[list[int]]:
    """The values as whole numbers, in every notation that fits all of them."""
    first = values[0]
    start = next((n for n, c in enumerate(zip(*values, strict=False)) if len(set(c)) > 1), 0)
    end = 0
    if len({len(value) for value in values}) == 1:
        tails = zip(*(value[::-1] for value in values), strict=True)
        end = next((n for n, c in enumerate(tails) if len(set(c)) > 1), 0)
    # A number's own digits may be the same in front: go back to where they begin.
    while start and first[start - 1].isalnum():
        start -= 1
    middles = [value[start : len(value) - end] for value in values]
    found = []
    for texts in (middles, list(values)):
        for base in (10, 16, 36):
            try:
                found.append([int(text, base) for text in texts])
            except ValueError:
                pass
        try:
            found.append([int.from_bytes(_decode(text), "big") for text in texts])
        except (ValueError, binascii.Error):
            pass
        try:
            found.append([_written(_decode(text)) for text in texts])
        except (ValueError, binascii.Error):
            pass
    return found


def _written(data: bytes) -> int:
    """The number in "7", or in "session-7"."""
    match = re.fullmatch(rb"[ -~]*?(\d{1,30})[^\d]?", data)
    if match is None:
        raise ValueError("no number")
    return int(match[1])


def _decode(text: str) -> bytes:
    text = text.rstrip("=").translate(str.maketrans("+/", "-_"))
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError("no base64")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _sequence(values: Sequence[str], times: Sequence[float]) -> str:
    if len(values) < 3:
        return ""
    for numbers in _numbers(values):
        steps = [after - before for before, after in itertools.pairwise(numbers)]
        # Small numbers are near each other by chance, but seldom in order.
        ordered = min(steps) > 0 or max(steps) < 0 or min(numbers) >> 40
        if ordered and all(0 < abs(step) < 1_000_000 for step in steps):
            return f"they are a sequence: each differs from the one before by {_range(steps)}"
    return ""


def _range(steps: list[int]) -> str:
    low, high = min(steps), max(steps)
    return str(low) if low == high else f"{low} to {high}"


def _time_based(values: Sequence[str], times: Sequence[float]) -> str:
    if all(_UUID1.fullmatch(value) for value in values):
        return "they are UUIDs of version 1: the time and the machine, no secret (RFC 9562)"
    for numbers in _numbers(values):
        if max(numbers) >> 64:
            continue  # no time, and perhaps too large for a float
        for unit, per_second in (("", 1), ("milli", 1e3), ("micro", 1e6), ("nano", 1e9)):
            if all(abs(n / per_second - t) < 3600 for n, t in zip(numbers, times, strict=True)):
                return f"they are the time, in {unit}seconds"
    return ""


# Digests.


def _digest_of(values: Sequence[str], times: Sequence[float], words: Sequence[str]) -> str:
    names = {32: "md5", 40: "sha1", 64: "sha256"}
    sample = values[0].lower()
    name = names.get(len(sample))
    if name is None or not re.fullmatch(r"[0-9a-f]+", sample):
        return ""
    clues = [("a counter", str(number)) for number in range(_COUNTERS)]
    now = times[0]
    clues += [("the time", str(int(now) + n)) for n in range(-5, 6)]
    clues += [("the time", str(int(now * 1000) + n)) for n in range(-2000, 2000)]
    clues += [("a name", word) for word in words]
    for what, clue in clues:
        if hashlib.new(name, clue.encode(), usedforsecurity=False).hexdigest() == sample:
            return f"they are the {name.upper()} of {what}"
    return ""


# Chance.


def _uneven(pool: Sequence[str]) -> str:
    """Pearson's test that all characters are equally likely, over the places that vary."""
    counts = Counter(pool)
    n, k = len(pool), len(counts)
    if k < 2 or n < 5 * k:
        return ""  # too few for the test to mean anything
    expected = n / k
    square = sum((count - expected) ** 2 for count in counts.values()) / expected
    freedom = k - 1
    # Wilson and Hilferty: the cube root of chi-square is nearly normal.
    spread = 2 / (9 * freedom)
    if ((square / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread) < _RARE:
        return ""
    most = ", ".join(repr(c) for c, _ in counts.most_common(3))
    return (
        f"their characters are not equally likely (chi-square {square:.0f} with {freedom} degrees "
        f"of freedom, less than once in a million by chance; most often {most})"
    )


# Sessions in cookies.


def find_content(value: str) -> str:
    """The JSON that a cookie's value holds, signed or not; "" if it has none.

    Such a value is no id but the session itself (Flask, Django's signed_cookies, a JWT).
    """
    for text in (value, *re.split(r"[.:|]", value)):
        try:
            blob = _decode(text)
        except (ValueError, binascii.Error):
            continue
        for data in (blob, *_inflated(blob)):
            match = re.search(rb'\{("[^"\x00-\x1f]{1,99}":.*)?\}', data, re.DOTALL)
            if match and len(match[0]) > 2 and _is_text(match[0]):
                return match[0].decode("utf-8", "replace")[:200]
    return ""


def _is_text(data: bytes) -> bool:
    return all(byte >= 0x20 or byte in b"\t\n\r" for byte in data)


def _inflated(blob: bytes) -> list[bytes]:
    found = []
    for start in range(min(len(blob), 64)):
        if blob[start] == 0x78:
            try:
                found.append(zlib.decompressobj().decompress(blob[start:], 65536))
            except zlib.error:
                continue
    return found
