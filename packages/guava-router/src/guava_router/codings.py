"""Compressed variants of a file that lie beside it: app.js.br, app.js.zst, app.js.gz."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator

SUFFIXES = {"br": "br", "zst": "zstd", "gz": "gzip"}
"""The suffix of a variant's file, and the content coding that it has (RFC 9110, 8.4.1)."""

_LONGEST_FIELD = 1024
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_ELEMENT = re.compile(
    rf"[ \t]*({_TOKEN})(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{{0,3}})?|1(?:\.0{{0,3}})?))?[ \t]*"
)


def suffixes(precompressed: bool | Iterable[str]) -> tuple[str, ...]:
    """The argument of StaticRouter, looked at.

    Raises TypeError for a single str, ValueError for a suffix that is none of SUFFIXES.
    """
    if isinstance(precompressed, bool):
        return tuple(SUFFIXES) if precompressed else ()
    if isinstance(precompressed, str | bytes):
        raise TypeError(f"precompressed is a bool or several suffixes, not {precompressed!r}")
    chosen = tuple(precompressed)
    for suffix in chosen:
        if suffix not in SUFFIXES:
            raise ValueError(
                f'precompressed has suffixes out of "br", "zst" and "gz", found {suffix!r}'
            )
    return chosen


@functools.lru_cache(maxsize=64)  # browsers have few of these fields
def preferred(accept_encoding: str, offered: tuple[str, ...]) -> tuple[str, ...]:
    """The suffixes out of `offered` whose coding the client takes at least as gladly as the file
    itself, the one it likes best first; among equals in the order of `offered` (RFC 9110,
    section 12.5.3). Malformed elements count as not sent.
    """
    weights: dict[str, int] = {}
    if len(accept_encoding) <= _LONGEST_FIELD:
        for name, weight in _elements(accept_encoding):
            weights.setdefault(name, weight)
    rest = weights.get("*", 0)
    # What "*" says of everything it says of the file itself too; that is no preference for it.
    plain = weights.get("identity", 0)
    liked = [
        (-weight, place, suffix)
        for place, suffix in enumerate(offered)
        if (weight := weights.get(SUFFIXES[suffix], rest)) > 0 and weight >= plain
    ]
    return tuple(suffix for _, _, suffix in sorted(liked))


def _elements(field: str) -> Iterator[tuple[str, int]]:
    for text in field.split(","):
        element = _ELEMENT.fullmatch(text)
        if element is not None:
            name = element[1].lower()
            weight = 1000 if element[2] is None else round(float(element[2]) * 1000)
            yield "gzip" if name == "x-gzip" else name, weight
