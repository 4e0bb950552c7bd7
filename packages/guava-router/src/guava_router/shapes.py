"""The shape of a pattern, read from its text: what the tools know of it.

Routers list their routes as text (Route.pattern), whatever they are made from: a table, methods of
classes, a directory. The tools read that text and nothing else, so they work for every router.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

_PARAMETER = re.compile(
    r"(?P<before>[^{}]*)\{(?P<name>[^{}:?.]*)(?::(?P<converter>[^{}]*?))?(?P<mark>\?|\.\.\.)?\}"
    r"(?P<behind>[^{}]*)"
)


class Parameter(NamedTuple):
    """A segment that takes what the path has there."""

    name: str
    converter: str  # "str" if the pattern names none
    before: str  # text in the same segment
    behind: str
    optional: bool  # {name?}
    rest: bool  # takes the rest of the path: {name:path}, {name...}

    def __str__(self) -> str:
        mark = "..." if self.rest and self.converter != "path" else "?" if self.optional else ""
        converter = "" if self.converter == "str" else f":{self.converter}"
        return f"{self.before}{{{self.name}{converter}{mark}}}{self.behind}"


@functools.lru_cache(maxsize=4096)
def segment_of(text: str) -> str | Parameter:
    """A segment of a pattern: its text, or the parameter in it."""
    found = _PARAMETER.fullmatch(text)
    if found is None:
        return text
    converter = found["converter"] or "str"
    rest = converter == "path" or found["mark"] == "..."
    return Parameter(
        found["name"],
        converter,
        found["before"],
        found["behind"],
        found["mark"] == "?" or found["mark"] == "...",
        rest,
    )


def shape_of(pattern: str) -> tuple[str | Parameter, ...]:
    """ "/users/{id:int}" -> ("users", Parameter("id", "int", ...)); "/" -> ("",)."""
    texts = pattern.removeprefix("/").split("/")
    if "{" not in pattern:
        return tuple(texts)
    return tuple(segment_of(text) if "{" in text else text for text in texts)
