"""What the WSGI and the ASGI face of a router have in common: which patterns mount, and words."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ._core import Handler, Match
from .answers import Answer, not_allowed, options
from .shapes import Parameter, segment_of


@functools.lru_cache(maxsize=4096)
def mount_parameter(pattern: str) -> str | None:
    """The name of the parameter that makes a pattern a mount: "/admin/{rest:path}" -> "rest".

    What such a pattern leads to is a whole application below it, and is told so.
    """
    last = segment_of(pattern.rpartition("/")[2])
    if isinstance(last, Parameter) and last.rest and not last.before and not last.behind:
        return last.name
    return None


def mounted_rest(pattern: str, params: Mapping[str, Any], path: str) -> str | None:
    """The part of a path that a mounted application has to itself, without its first slash."""
    name = mount_parameter(pattern)
    rest = None if name is None else params.get(name)
    # A converter of one's own under the name "path" may have made something else of it.
    return rest if isinstance(rest, str) and path.endswith("/" + rest) else None


def refusal(method: str) -> Answer | None:
    """What a file says to a method that it does not have; None for GET and HEAD."""
    if method in ("GET", "HEAD"):
        return None
    return options(["GET"]) if method == "OPTIONS" else not_allowed(["GET"])


def under(prefix: str, location: str) -> str:
    """Where a redirect of a router that lies at `prefix` goes: paths lie at that place, too."""
    return prefix + location if location[:1] == "/" and location[:2] != "//" else location


def described(expected: str, face: str, found: Match, method: str, path: str) -> str:
    """What to say of a target that no face can call."""
    where = getattr(found.route, "where", "")
    text = (
        f"{method} {path} leads to {found.target!r} by the pattern {found.pattern!r}"
        f"{f', registered at {where},' if where else ''} which is not {expected}"
    )
    if isinstance(found.target, Handler):
        text += "; a Handler names an action: say what runs it"
    else:
        text += "; say what makes one of it"
    return f"{text} with {face}(application=...)"
