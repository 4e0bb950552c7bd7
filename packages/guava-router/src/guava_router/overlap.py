"""Overlap: whether two patterns of equal precedence may fit one path.

Text goes before parameters, and a built-in converter has a rank among the others, so that of two
patterns one always is the first to be tried. Only of own converters nobody knows which is the
narrower one: two of them at one place, or one beside a built-in converter that can fail, are of
equal precedence, and an error if a path could be for both.
"""

from __future__ import annotations

import re

from .converters import FIRST_OWN, LAST_OWN
from .patterns import Parameter, Pattern, Pieces

_FORMS = {
    "uuid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "int": r"-?[0-9]+",
    "float": r"-?[0-9]+(?:\.[0-9]+)?",
    "path": r"(?s:.+)",
}
_DISJOINT = ({"uuid", "date"}, {"uuid", "int"}, {"uuid", "float"}, {"date", "int"})
_ANY = "[^/]+"


def is_own(parameter: Parameter) -> bool:
    return FIRST_OWN <= parameter.rank <= LAST_OWN


def can_fail(parameter: Parameter) -> bool:
    return parameter.rank <= LAST_OWN


def _segments(pieces: Pieces, at: int) -> list[Pieces]:
    """The pieces from the one at `at` on, cut at slashes."""
    segments: list[list[str | Parameter]] = [[]]
    for piece in pieces[at:]:
        if isinstance(piece, Parameter):
            segments[-1].append(piece)
            continue
        first, *more = piece.split("/")
        segments[-1].extend([first] if first else [])
        segments.extend([text] if text else [] for text in more)
    return [tuple(segment) for segment in segments]


def _is_text(segment: Pieces) -> bool:
    return not any(isinstance(piece, Parameter) for piece in segment)


def _is_rest(segment: Pieces) -> bool:
    last = segment[-1] if segment else None
    return isinstance(last, Parameter) and last.converter_name == "path"


def _expression(segment: Pieces) -> str:
    return "".join(
        _FORMS.get(piece.converter_name, _ANY)
        if isinstance(piece, Parameter)
        else re.escape(piece)
        for piece in segment
    )


def _both_fit(one: Pieces, other: Pieces) -> bool:
    """Whether a segment may be for both. Not sure means yes."""
    if _is_text(one) or _is_text(other):
        text, pattern = (one, other) if _is_text(one) else (other, one)
        return re.fullmatch(_expression(pattern), "".join(map(str, text))) is not None
    a, b = one[0], other[0]
    if isinstance(a, Parameter) and isinstance(b, Parameter) and len(one) == len(other) == 1:
        return {a.converter_name, b.converter_name} not in _DISJOINT
    starts = isinstance(a, str) and isinstance(b, str)
    if starts and not (str(a).startswith(str(b)) or str(b).startswith(str(a))):
        return False
    a, b = one[-1], other[-1]
    return not isinstance(a, str) or not isinstance(b, str) or a.endswith(b) or b.endswith(a)


def _rest_fits(one: list[Pieces], other: list[Pieces]) -> bool:
    for i in range(min(len(one), len(other))):
        if _is_rest(one[i]) or _is_rest(other[i]):
            return True
        if not _both_fit(one[i], other[i]):
            return False
    return len(one) == len(other)


def ambiguous(one: Pattern, other: Pattern) -> bool:
    """Whether a path may be for both, and nothing tells which goes first."""
    at = 0
    for a, b in zip(one.pieces, other.pieces, strict=False):
        same = a == b if isinstance(a, str) or isinstance(b, str) else a.rank == b.rank
        if not same:
            break
        at += 1
    else:
        return False
    a, b = one.pieces[at], other.pieces[at]
    if not (isinstance(a, Parameter) and isinstance(b, Parameter)):
        return False
    if not (can_fail(a) and can_fail(b) and (is_own(a) or is_own(b))):
        return False
    return _rest_fits(_segments(one.pieces, at), _segments(other.pieces, at))


def places(pattern: Pattern) -> list[bytes]:
    """The keys of what is before each parameter that can fail."""
    found, before = [], b""
    for piece in pattern.pieces:
        if isinstance(piece, str):
            before += piece.encode()
            continue
        if can_fail(piece):
            found.append(before)
        before += bytes((1, piece.rank))
    return found
