"""The walk from a path to a route, written to be read: the rules of precedence as Python.

The native table does the same over a compressed tree, in a ten-thousandth of the time. This one
looks at the routes as they are, remembers what it tried, and is what the native one is tested
against. The rules:

1. At every place of a path, text goes before parameters.
2. Of the parameters that can follow at one place, those whose converters can refuse go first, in
   the order of their ranks (uuid, date, int, float, own ones), then str, then path.
3. A parameter with text behind it in its segment takes as much as it can and leaves that text;
   one without takes the whole segment, and is tried after those with.
4. What leads nowhere is gone back on, up to the last place with something left to try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from .patterns import MOST_PARAMETERS, Parameter, Pieces

_SHOWN = 6
_LONGEST = 80


class Way(NamedTuple):
    """A route: texts and parameters in turn, and whatever the caller wants to have back."""

    tokens: Pieces  # texts are UTF-8 in the shape of Latin-1, as Walk.text is
    route: Any


class Place(NamedTuple):
    """How far along a way the walk is."""

    way: Way
    token: int
    offset: int

    @property
    def ended(self) -> bool:
        return self.token == len(self.way.tokens)

    def on(self) -> Place:
        """One letter further in a text."""
        way, token, offset = self
        text = way.tokens[token]
        assert isinstance(text, str)
        return (
            Place(way, token, offset + 1) if offset + 1 < len(text) else Place(way, token + 1, 0)
        )

    def shown(self) -> str:
        """The pattern up to here."""
        way, token, offset = self
        parts = [str(t) if isinstance(t, Parameter) else plain(t) for t in way.tokens[:token]]
        if offset:
            text = way.tokens[token]
            assert isinstance(text, str)
            parts.append(plain(text[:offset]))
        return "".join(parts)

    def segment(self, separator: str) -> str:
        """What the way goes on with, up to the next separator."""
        way, token, offset = self
        parts = []
        for t in way.tokens[token:]:
            if isinstance(t, Parameter):
                parts.append(str(t))
                continue
            text, found, _ = t[offset:].partition(separator)
            offset = 0
            parts.append(plain(text))
            if found:
                break
        return "".join(parts)


class Step(NamedTuple):
    """Something that was tried on the way to an answer.

    depth: how many parameters stand at that time. pattern: of the route or routes, as far as they
    were followed. outcome: "takes", "refuses", "dead end", "method", "match", "host", "slash",
    "router" or "answer". detail: the same in words.
    """

    depth: int
    pattern: str
    outcome: str
    detail: str


def encoded(text: str) -> str:
    """UTF-8 with a letter for each byte, so that the walk counts as the native one does."""
    return text.encode().decode("latin-1")


def plain(text: str) -> str:
    """encoded() the other way round; what is cut within a letter shows a replacement for it."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")


def some(texts: Iterable[str]) -> str:
    """A few of many, in words."""
    unique = sorted(set(texts) - {""})
    if not unique:
        return "the end"
    shown = ", ".join(map(repr, unique[:_SHOWN]))
    return shown if len(unique) <= _SHOWN else f"{shown} and {len(unique) - _SHOWN} more"


class Walk:
    """One search. leaf: is asked with the routes that end where the text ends, the best place
    first, and says whether one of them is it."""

    def __init__(
        self,
        text: str,
        separator: str,
        leaf: Callable[[list[Way]], bool],
        budget: list[int],
        spans: list[tuple[str, Any]],
        steps: list[Step],
        folded: bool = False,
    ) -> None:
        self.text = text
        self.separator = separator
        self.leaf = leaf
        self.budget = budget  # one number, shared by the walks of one search
        self.spans = spans  # the texts of the parameters so far, and their values
        self.steps = steps
        self.folded = folded  # whether "_" in the text is "-" in a route
        self._start = 0
        self._started: Sequence[Place] = ()

    def find(self, ways: Iterable[Way]) -> bool:
        """Whether a route was taken; spans are then its parameters."""
        places = [Place(way, 0, 0) for way in ways]
        self._started = places
        return self._step(places, 0)

    def _step(self, places: list[Place], at: int) -> bool:
        text, started, start = self.text, self._started, self._start
        while at < len(text):
            letter = text[at]
            on, slots = [], []
            for place in places:
                if place.ended:
                    continue
                token = place.way.tokens[place.token]
                if isinstance(token, Parameter):
                    slots.append(place)
                elif token[place.offset] == letter or (
                    self.folded and letter == "_" and token[place.offset] == "-"
                ):
                    on.append(place.on())
            if not on and not slots:
                self._dead_end(started, start)
                return False
            if slots:
                return self._branch(on, slots, at, started, start)
            places = on
            at += 1
            if letter == self.separator:
                started, start = places, at
        self._started, self._start = started, start
        ended = [place.way for place in places if place.ended]
        if ended:
            return self.leaf(ended)
        self._dead_end(started, start)
        return False

    def _branch(
        self,
        on: list[Place],
        slots: list[Place],
        at: int,
        started: Sequence[Place],
        start: int,
    ) -> bool:
        if on:
            first = self.text[at] == self.separator
            self._started, self._start = (on, at + 1) if first else (started, start)
            if self._step(on, at + 1):
                return True
        by_rank: dict[int, list[Place]] = {}
        for place in slots:
            token = place.way.tokens[place.token]
            assert isinstance(token, Parameter)
            by_rank.setdefault(token.rank, []).append(place)
        for rank in sorted(by_rank):
            self._started, self._start = started, start
            if self._slot(by_rank[rank], at):
                return True
        return False

    def _slot(self, places: list[Place], at: int) -> bool:
        slot = places[0].way.tokens[places[0].token]
        assert isinstance(slot, Parameter)
        behind = [Place(place.way, place.token + 1, 0) for place in places]
        if slot.converter_name == "path":
            return self._take(slot, places[0], behind, at, len(self.text))
        stop = self.text.find(self.separator, at)
        stop = len(self.text) if stop < 0 else stop
        if stop == at:
            self._note(places[0], "refuses", "there is no text for it")
            return False
        inner, outer = set(), False
        for place in behind:
            token = None if place.ended else place.way.tokens[place.token]
            if isinstance(token, str) and token[0] != self.separator:
                inner.add(token[0])
            else:
                outer = True
        tried = outer
        for middle in range(stop - 1, at, -1):
            if self.text[middle] in inner:
                tried = True
                if self._take(slot, places[0], behind, at, middle):
                    return True
        if not tried:
            wanted = some(place.segment(self.separator) for place in behind)
            given = plain(self.text[at:stop])
            self._note(places[0], "refuses", f"{given!r} is not followed by {wanted}")
        return outer and self._take(slot, places[0], behind, at, stop)

    def _take(
        self, slot: Parameter, place: Place, behind: list[Place], at: int, stop: int
    ) -> bool:
        if len(self.spans) == MOST_PARAMETERS or self.budget[0] == 0:
            return False
        self.budget[0] -= 1
        try:
            text = self.text[at:stop].encode("latin-1").decode()
            value = slot.converter.convert(text)
        except ValueError:
            given = plain(self.text[at:stop])
            self._note(place, "refuses", f"{given!r} is no {slot.converter_name}")
            return False
        self._note(place, "takes", repr(text))
        self.spans.append((text, value))
        self._started, self._start = behind, stop
        if self._step(behind, stop):
            return True
        self.spans.pop()
        return False

    def _note(self, place: Place, outcome: str, detail: str) -> None:
        slot = place.way.tokens[place.token]
        assert isinstance(slot, Parameter)
        self.steps.append(Step(len(self.spans), place.shown() + str(slot), outcome, detail))

    def _dead_end(self, started: Sequence[Place], start: int) -> None:
        if not started:
            return
        stop = self.text.find(self.separator, start)
        given = plain(self.text[start : None if stop < 0 else stop])
        wanted = some(place.segment(self.separator) for place in started)
        if given and given in {place.segment(self.separator) for place in started}:
            what = "nothing so long" if stop >= 0 else f"it does not end with {given!r}"
        elif given:
            what = f"no {given!r} here, but {wanted}"
        elif stop >= 0:
            what = f"nothing goes on with {plain(self.text[start:])[:_LONGEST]!r} here"
        else:
            what = f"it does not end here, but with {wanted}"
        self.steps.append(Step(len(self.spans), started[0].shown(), "dead end", what))
