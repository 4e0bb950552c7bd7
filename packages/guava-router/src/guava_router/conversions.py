"""What an action's annotations make of the texts of a URL: `id: int` gives it a number.

All is decided when the routes are listed: for each argument a `Conversion`, whose `convert` the
native table calls (or does itself, for `int`), and whose `format` goes the other way, for URLs.
"""

from __future__ import annotations

import builtins
import datetime
import enum
import inspect
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, Union

from .converters import BUILT_IN
from .errors import RouteError


class Conversion(NamedTuple):
    """How an argument comes out of a URL and goes into one."""

    kind: Any  # the annotation: two with the same one do the same
    name: str  # for listings
    convert: Callable[[str], Any] | None  # ValueError: does not suit. None: the text as it is
    format: Callable[[Any], str]  # TypeError or ValueError: no URL has such a value


def _wrong(name: str, value: object) -> NoReturn:
    raise TypeError(f"{name} was expected, not {value!r}")


def _bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _bool_format(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else _wrong("a bool", value)


def _plain(kind: Any, name: str) -> Conversion:
    """As in patterns: {id:int}."""
    return Conversion(kind, name, BUILT_IN[name].convert, BUILT_IN[name].format)


TEXT = Conversion(str, "str", None, BUILT_IN["str"].format)
INT = _plain(int, "int")
_PLAIN: dict[Any, Conversion] = {
    str: TEXT,
    object: TEXT,
    Any: TEXT,
    inspect.Parameter.empty: TEXT,
    int: INT._replace(convert=int),  # the native table does it by itself, in the same way
    float: _plain(float, "float"),
    bool: Conversion(bool, "bool", _bool, _bool_format),
    uuid.UUID: _plain(uuid.UUID, "uuid"),
    datetime.date: _plain(datetime.date, "date"),
}

_KNOWN = (
    "str, int, float, bool, uuid.UUID, datetime.date, an Enum of str or int, a Literal of str or "
    "int, a union of these, or Annotated[type, converter] with a converter that has "
    "convert(text) and format(value)"
)


def _of_choices(kind: Any, name: str, choices: dict[str, Any], count: int) -> Conversion:
    if len(choices) != count:
        raise TypeError(f"two values of {name} have the same text in a URL")

    def convert(text: str) -> Any:
        try:
            return choices[text]
        except KeyError:
            raise ValueError(text) from None

    def form(value: Any) -> str:
        for text, choice in choices.items():
            if choice == value and type(choice) is type(value):
                return text
        raise ValueError(
            f"one of {', '.join(map(repr, choices.values()))} was expected, not {value!r}"
        )

    return Conversion(kind, name, convert, form)


def _text_of(value: object, whole: object) -> str:
    if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
        return value if isinstance(value, str) else str(int(value))
    raise TypeError(f"{whole!r} has the value {value!r}, which is neither a text nor an int")


def _enum(cls: type[enum.Enum]) -> Conversion:
    members = list(cls)
    choices = {_text_of(member.value, cls): member for member in members}
    return _of_choices(cls, cls.__name__, choices, len(members))


def _literal(annotation: Any) -> Conversion:
    values = typing.get_args(annotation)
    choices = {}
    for value in values:
        plain = value.value if isinstance(value, enum.Enum) else value
        choices[_text_of(plain, annotation)] = value
    return _of_choices(annotation, "|".join(choices), choices, len(values))


def _union(annotation: Any) -> Conversion:
    """The first alternative that suits, in the order written; str, which takes all, goes last."""
    parts = [part for part in typing.get_args(annotation) if part is not types.NoneType]
    found = list(dict.fromkeys(map(conversion, parts)))
    found = [c for c in found if c.convert is not None] + [c for c in found if c.convert is None]
    if len(found) == 1:
        return found[0]
    converts = [INT.convert if c.convert is int else c.convert for c in found]

    def convert(text: str) -> Any:
        for one in converts:
            if one is None:
                return text
            try:
                return one(text)
            except ValueError:
                pass
        raise ValueError(text)

    def form(value: Any) -> str:
        for one in found:
            try:
                return one.format(value)
            except (TypeError, ValueError):
                pass
        _wrong(f"one of {', '.join(c.name for c in found)}", value)

    return Conversion(annotation, "|".join(c.name for c in found), convert, form)


def _annotated(annotation: Any) -> Conversion:
    kind, *extras = typing.get_args(annotation)
    for extra in extras:
        if callable(getattr(extra, "convert", None)) and callable(getattr(extra, "format", None)):
            if isinstance(extra, type):
                raise TypeError(
                    f"{extra!r} is a class; give an instance of it, {extra.__name__}()"
                )
            name = getattr(kind, "__name__", str(kind))
            return Conversion(annotation, name, extra.convert, extra.format)
    return conversion(kind)


def conversion(annotation: Any) -> Conversion:
    """What an annotation asks for. Raises TypeError, which says why, if no URL can give that."""
    try:
        plain = _PLAIN.get(annotation)
    except TypeError:
        plain = None  # it cannot be hashed
    if plain is not None:
        return plain
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _annotated(annotation)
    if origin is Literal:
        return _literal(annotation)
    if origin is Union or origin is types.UnionType:
        return _union(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _enum(annotation)
    if isinstance(annotation, typing.NewType):
        return conversion(annotation.__supertype__)
    if hasattr(annotation, "__value__"):  # type UserId = int, since Python 3.12
        return conversion(annotation.__value__)
    shown = inspect.formatannotation(annotation)
    raise TypeError(f"a URL cannot give a {shown}; it can give {_KNOWN}")


def _evaluated(annotation: Any, function: Callable[..., Any], cls: type) -> Any:
    """An annotation as an object: with `from __future__ import annotations` it is a text."""
    if not isinstance(annotation, str):
        return annotation
    names: Mapping[str, Any] = getattr(function, "__globals__", vars(builtins))
    parameters = {p.__name__: p for p in getattr(function, "__type_params__", ())}
    try:
        # The source of the program itself, which was executed when it was imported.
        return eval(annotation, dict(names), {**vars(cls), **parameters})
    except Exception as error:
        raise TypeError(
            f"{annotation!r} cannot be found at run time ({type(error).__name__}: {error})"
        ) from error


def of_parameter(
    parameter: inspect.Parameter, function: Callable[..., Any], cls: type, what: str
) -> Conversion:
    """The conversion of one argument of an action.

    function: the action. what: names it for errors, with file
    and line. Raises RouteError if the annotation is nothing that a URL can give.
    """
    try:
        return conversion(_evaluated(parameter.annotation, inspect.unwrap(function), cls))
    except TypeError as error:
        raise RouteError(f"{what}: the annotation of {parameter.name}: {error}") from error
