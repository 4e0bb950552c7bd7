"""Which bytes a Range field asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re

MOST = 16
"""A field with more ranges counts as not sent."""

# The head of a part takes more than this: a gap so small is cheaper sent than left out (RFC 9110,
# section 15.3.7.2).
_GAP = 80
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_LARGEST = 2**63 - 1


def parse_ranges(field: str, size: int) -> tuple[tuple[int, int], ...] | None:
    """The (start, stop) pairs that a Range field asks for out of `size` bytes, in its order.

    Ranges that overlap or nearly touch become one, so together they are never more than the file.
    (): all lie outside, which is a 416. None: the field counts as not sent, because it is
    malformed, has more than MOST ranges or counts in other units than bytes.
    """
    if field[:6].lower() != "bytes=":
        return None
    ranges: list[tuple[int, int]] = []
    asked = 0
    for text in field[6:].split(",", 4 * MOST):
        spec = text.strip(" \t")
        if not spec:
            continue
        asked += 1
        found = _SPEC.fullmatch(spec)
        if asked > MOST or found is None or spec == "-":
            return None
        first, last = _number(found[1]), _number(found[2])
        if found[1] and found[2] and last < first:
            return None
        start, stop = _within(first if found[1] else None, last if found[2] else None, size)
        if start < stop:
            _add(ranges, start, stop)
        elif size == 0 and not found[1] and last:
            return None  # of nothing there is no range, but a suffix of it is all of it
    return tuple(ranges) if asked else None


def _number(digits: str) -> int:
    """A number beyond all files stays at the largest: int() of many digits fails."""
    digits = digits.lstrip("0")
    return _LARGEST if len(digits) > 18 else int(digits or "0")


def _within(first: int | None, last: int | None, size: int) -> tuple[int, int]:
    """ "500-999", "500-" or "-500" of so many bytes; empty if it lies outside."""
    if first is None:
        return max(size - (last or 0), 0), size
    return first, size if last is None else min(last + 1, size)


def _add(ranges: list[tuple[int, int]], start: int, stop: int) -> None:
    """Adds a range, or joins it with those it touches: the earliest keeps its place."""
    place = len(ranges)
    at = place - 1
    while at >= 0:
        other = ranges[at]
        if start - other[1] > _GAP or other[0] - stop > _GAP:
            at -= 1
            continue
        start, stop = min(start, other[0]), max(stop, other[1])
        del ranges[at]
        place = at
        at = len(ranges) - 1  # what has grown may touch others
    ranges.insert(place, (start, stop))
