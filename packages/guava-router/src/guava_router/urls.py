"""URLs from the names of routes: what url_for() does."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from .errors import UnknownRoute
from .patterns import Parameter, Pieces

# RFC 3986, section 3.3: pchar without percent-encoding. quote() adds letters, digits and "_.-~".
SEGMENT = "!$&'()*+,;=:@"
_LABEL = re.compile(r"[0-9A-Za-z_-]+")


def unknown(name: object, names: Iterable[str]) -> UnknownRoute:
    """The error for a name that no route has."""
    near = difflib.get_close_matches(str(name), list(names), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return UnknownRoute(f"no route is named {name!r}{hint}")


def check_names(name: str, wanted: tuple[str, ...], given: Mapping[str, Any]) -> None:
    """Raises TypeError for a parameter that is missing or not the route's."""
    for parameter in wanted:
        if parameter not in given:
            raise TypeError(f"url_for({name!r}): the parameter {parameter!r} is missing")
    for parameter in given:
        if parameter not in wanted:
            has = ", ".join(map(repr, wanted)) or "none"
            raise TypeError(
                f"url_for({name!r}): the route has no parameter {parameter!r} (it has {has}); "
                "what belongs behind the '?' is given as query={...}"
            )


def fill(name: str, pieces: Pieces, params: Mapping[str, Any]) -> str:
    """The percent-encoded text of a pattern with its parameters' values."""
    texts = _texts(name, pieces, params)
    return "".join(quote(text, safe=SEGMENT + "/") for text in texts)


def fill_host(name: str, pieces: Pieces, params: Mapping[str, Any]) -> str:
    """The same for the pattern of a host, whose parameters are within a label."""
    texts = list(_texts(name, pieces, params))
    for text, piece in zip(texts, pieces, strict=True):
        if isinstance(piece, Parameter) and not _LABEL.fullmatch(text):
            raise ValueError(
                f"url_for({name!r}): {piece.name!r} is part of a host's label, of letters, "
                f"digits and dashes, not {text!r}"
            )
    return "".join(texts)


def _texts(name: str, pieces: Pieces, params: Mapping[str, Any]) -> Iterator[str]:
    for piece in pieces:
        if isinstance(piece, Parameter):
            yield _text(name, piece, params[piece.name])
        else:
            yield piece


def _text(name: str, parameter: Parameter, value: Any) -> str:
    rest = parameter.converter_name == "path"
    return segment(name, parameter.name, parameter.converter.format, value, slashes=rest)


def segment(
    name: str, parameter: str, form: Callable[[Any], str], value: Any, slashes: bool = False
) -> str:
    """The text of a parameter's value, not percent-encoded."""
    what = f"url_for({name!r}): {parameter!r}"
    try:
        text = form(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None
    if not isinstance(text, str):
        raise TypeError(f"{what}: format() of the converter must give a str, not {text!r}")
    if not text:
        raise ValueError(f"{what} must not be empty")
    if "/" in text and not slashes:
        raise ValueError(f"{what} must not have a slash: {text!r}")
    return text


def check_path(name: str, path: str) -> str:
    """Raises ValueError for a path that a client would not send as it is."""
    if not {".", ".."}.isdisjoint(path.split("/")):
        raise ValueError(f"url_for({name!r}): clients resolve dot segments: {path!r}")
    if path.startswith("//"):
        raise ValueError(f"url_for({name!r}): a path with two slashes names a host: {path!r}")
    return path


def with_query(path: str, query: Any) -> str:
    """query: a mapping or pairs, a value that is a list or tuple counts once for each item."""
    encoded = urlencode(query, doseq=True) if query else ""
    return f"{path}?{encoded}" if encoded else path
