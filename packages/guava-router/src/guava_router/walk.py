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

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .patterns import MOST_PARAMETERS, Parameter, Pieces

_SHOWN = 6
_LONGEST = 80
_MOST_STEPS = 300  # that are noted; nobody reads more, and a path can have thousands


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

    @property
    def slot(self) -> Parameter | None:
        """The parameter that comes next, if one does."""
        token = None if self.ended else self.way.tokens[self.token]
        return token if isinstance(token, Parameter) else None

    @property
    def text(self) -> str:
        """The text that comes next; "" before a parameter and at the end."""
        token = None if self.ended else self.way.tokens[self.token]
        return token[self.offset :] if isinstance(token, str) else ""

    def on(self, n: int) -> Place:
        """n letters further in the text that comes next."""
        way, token, offset = self
        text = way.tokens[token]
        assert isinstance(text, str)
        offset += n
        return Place(way, token, offset) if offset < len(text) else Place(way, token + 1, 0)

    def shown(self, n: int = 0) -> str:
        """The pattern up to here, and n letters of its text more."""
        way, token, offset = self
        parts = [plain(t) if isinstance(t, str) else str(t) for t in way.tokens[:token]]
        if offset + n:
            text = way.tokens[token]
            assert isinstance(text, str)
            parts.append(plain(text[: offset + n]))
        return "".join(parts)

    def segment(self, separator: str, n: int = 0) -> str:
        """What the way goes on with n letters from here, up to the next separator."""
        way, token, offset = self
        offset += n
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
    return text if text.isascii() else text.encode().decode("latin-1")


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
        # Where text began that is being followed: all that can be said of a dead end.
        self._origin: tuple[list[Place], int] = ([], 0)

    def find(self, ways: Iterable[Way]) -> bool:
        """Whether a route was taken; spans are then its parameters."""
        places = [Place(way, 0, 0) for way in ways]
        self._origin = (places, 0)
        return self._step(places, 0)

    def _begins(self, text: str, at: int) -> bool:
        if self.folded:
            return self.text[at : at + len(text)].replace("_", "-") == text.replace("_", "-")
        return self.text.startswith(text, at)

    def _step(self, places: list[Place], at: int) -> bool:
        while at < len(self.text):
            slots = [place for place in places if place.slot is not None]
            # Letter by letter or text by text: only the places of parameters have a choice.
            texts = [place for place in places if place.text and self._begins(place.text, at)]
            if slots:
                return self._branch(texts, slots, at)
            if not texts:
                self._dead_end()
                return False
            n = min(len(place.text) for place in texts)
            places = [place.on(n) for place in texts]
            at += n
        ended = [place.way for place in places if place.ended]
        if ended:
            return self.leaf(ended)
        self._dead_end()
        return False

    def _branch(self, texts: list[Place], slots: list[Place], at: int) -> bool:
        origin = self._origin
        if texts and self._step(texts, at):
            return True
        by_rank: dict[int, list[Place]] = {}
        for place in slots:
            assert place.slot is not None
            by_rank.setdefault(place.slot.rank, []).append(place)
        for rank in sorted(by_rank):
            self._origin = origin
            if self._slot(by_rank[rank], at):
                return True
        return False

    def _slot(self, places: list[Place], at: int) -> bool:
        slot = places[0].slot
        assert slot is not None
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
            letter = place.text[:1]
            if letter and letter != self.separator:
                inner.add(letter)
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
        self._origin = (behind, stop)
        if self._step(behind, stop):
            return True
        self.spans.pop()
        return False

    def _note(self, place: Place, outcome: str, detail: str) -> None:
        if len(self.steps) >= _MOST_STEPS:
            return
        pattern = f"{place.shown()}{place.slot}"
        self.steps.append(Step(len(self.spans), pattern, outcome, detail))

    def _dead_end(self) -> None:
        """Says how far the routes went along from the last parameter on, in whole segments."""
        places, at = self._origin
        if not places or len(self.steps) >= _MOST_STEPS:
            return
        ends = [0]  # the beginnings of segments behind `at`
        while (next_one := self.text.find(self.separator, at + ends[-1])) >= 0:
            ends.append(next_one + 1 - at)
        went = [self._went(place.text, at, ends) for place in places]
        n = max(went)
        there = [place for place, far in zip(places, went, strict=True) if far == n]
        names = {place.segment(self.separator, n) for place in there}
        stop = self.text.find(self.separator, at + n)
        given = plain(self.text[at + n : None if stop < 0 else stop])
        if given and given in names:
            what = "nothing so long" if stop >= 0 else f"it does not end with {given!r}"
        elif given:
            what = f"no {given!r} here, but {some(names)}"
        elif stop >= 0:
            what = f"nothing goes on with {plain(self.text[at + n :])[:_LONGEST]!r} here"
        else:
            what = f"it does not end here, but with {some(names)}"
        self.steps.append(Step(len(self.spans), there[0].shown(n), "dead end", what))

    def _went(self, text: str, at: int, ends: list[int]) -> int:
        """The last of the ends that a route's text agrees to."""
        for end, following in zip(ends, [*ends[1:], None], strict=True):
            if (
                following is None
                or not self._begins(text[:following], at)
                or following > len(text)
            ):
                return end
        return 0
