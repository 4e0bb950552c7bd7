"""Suggestions: what somebody may have meant who asked for a path that leads nowhere.

A search over the patterns as a tree of segments, the cheapest change first: another spelling of a
segment, a text that a parameter does not take, a segment too many or too few. The work is bounded
whatever is asked and however many routes there are, because it is done for requests, too: a page
for "not found" may show the result.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from .shapes import Parameter, shape_of

# Refuses a text: returns why a parameter does not take it, or None if it does.
Refusal = Callable[[Parameter, str], str | None]

_MOST_STATES = 2_000  # taken from the queue in one search
_MOST_TEXTS = 200_000  # looked at, mostly by their length only
_MOST_DISTANCES = 5_000
_LONGEST_TEXT = 64  # longer segments are compared as a whole only
_HIGHEST_COST = 3.5
_NEAR = 0.5  # what costs so much more than the best is not named beside it
_CASE, _REFUSED, _SEGMENT = 0.5, 1.5, 2.0


class Suggestion(NamedTuple):
    """Something near to what was asked for."""

    path: str  # to ask for instead; {name} stands where a parameter has no text
    pattern: str  # of the route that it would lead to
    reason: str  # what is different, in words


def distance(a: str, b: str, most: int) -> int:
    """How many letters must be put in, left out, exchanged or swapped with their neighbour to
    make b from a (optimal string alignment); most + 1 if it takes more than `most`.

    The work is of the order len(a) * most.
    """
    if abs(len(a) - len(b)) > most:
        return most + 1
    if len(a) > len(b):
        a, b = b, a
    far = most + 1
    before: list[int] = []
    row = [j if j <= most else far for j in range(len(b) + 1)]
    for i, letter in enumerate(a, 1):
        older, before, row = before, row, [far] * (len(b) + 1)
        if i <= most:
            row[0] = i
        for j in range(max(1, i - most), min(len(b), i + most) + 1):
            cost = before[j - 1] + (letter != b[j - 1])
            cost = min(cost, before[j] + 1, row[j - 1] + 1)
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == b[j - 1]:
                cost = min(cost, older[j - 2] + 1)
            row[j] = min(cost, far)
        if min(row) > most:
            return far
    return row[-1]


def _edits(a: str, b: str) -> int:
    """How different two segments may be to be taken for each other."""
    longer = max(len(a), len(b))
    return 0 if longer < 3 or longer > _LONGEST_TEXT else 1 if longer < 6 else 2


def _plain(text: str) -> str:
    return text.casefold().replace("_", "-")


class _Node:
    __slots__ = ("parameters", "pattern", "texts")

    def __init__(self) -> None:
        self.texts: dict[str, _Node] = {}
        self.parameters: dict[Parameter, _Node] = {}
        self.pattern: str | None = None  # of a route that ends here


class _Budget:
    """What one search may still do."""

    __slots__ = ("distances", "states", "texts")

    def __init__(self) -> None:
        self.states = _MOST_STATES
        self.texts = _MOST_TEXTS
        self.distances = _MOST_DISTANCES


class _Move(NamedTuple):
    cost: float
    node: _Node
    used: int  # how many segments of the path it takes
    text: str | None  # what it adds to the suggested path
    reason: str | None
    kept: bool = False  # whether a text of the route is in the path, or nearly


class Suggester:
    """Finds the patterns near to a path.

    patterns: as routers list them ("/users/{id:int}", "/post/view/{id?}", "/static/{path...}").
    refusal: says why a parameter does not take a text; by default every text is taken.
    """

    def __init__(
        self, patterns: Iterable[str], refusal: Refusal = lambda parameter, text: None
    ) -> None:
        self._refusal = refusal
        self._root = _Node()
        for pattern in patterns:
            self._add(pattern)

    def _add(self, pattern: str) -> None:
        node = self._root
        for part in shape_of(pattern):
            if isinstance(part, Parameter):
                if part.optional and node.pattern is None:
                    node.pattern = pattern
                node = node.parameters.setdefault(part, _Node())
            else:
                node = node.texts.setdefault(part, _Node())
        if node.pattern is None:
            node.pattern = pattern

    def near(self, path: str, limit: int = 3) -> tuple[Suggestion, ...]:
        """At most `limit` suggestions, the nearest first; not the path itself."""
        segments = path.removeprefix("/").split("/")
        budget = _Budget()
        found: dict[str, Suggestion] = {}
        most = _HIGHEST_COST
        serial = 0  # keeps the heap from comparing nodes, and its order the same each time
        heap: list[tuple[float, int, int, _Node, int, bool, tuple[str, ...], tuple[str, ...]]]
        heap = [(0.0, 0, 0, self._root, 0, False, (), ())]
        seen: set[tuple[int, int, tuple[str, ...]]] = set()
        while heap and len(found) < limit and budget.states > 0:
            budget.states -= 1
            cost, _, _, node, at, kept, texts, reasons = heapq.heappop(heap)
            if cost > most or (id(node), at, texts) in seen:
                continue
            seen.add((id(node), at, texts))
            # What has nothing in common with the path is no suggestion, however short.
            if at == len(segments) and node.pattern is not None and kept:
                suggested = "/" + "/".join(texts)
                if suggested != path and suggested not in found:
                    reason = "; ".join(reasons)
                    most = min(most, cost + _NEAR)
                    found[suggested] = Suggestion(suggested, node.pattern, reason)
            for move in self._moves(node, segments, at, budget):
                total = cost + move.cost
                if total > most:
                    continue
                serial += 1
                longer = texts if move.text is None else (*texts, move.text)
                more = reasons if move.reason is None else (*reasons, move.reason)
                place = at + move.used
                item = (total, -place, serial, move.node, place, kept or move.kept, longer, more)
                heapq.heappush(heap, item)
        return tuple(found.values())

    def _moves(
        self, node: _Node, segments: list[str], at: int, budget: _Budget
    ) -> Iterator[_Move]:
        if at < len(segments):
            segment = segments[at]
            yield from self._to_texts(node, segment, budget)
            for parameter, child in node.parameters.items():
                yield from self._to_parameter(parameter, child, segments, at)
            reason = f"without {segment!r}" if segment else "with one slash less"
            yield _Move(_SEGMENT if segment else _CASE, node, 1, None, reason)
        # A segment that is missing in the middle or at the end.
        if len(node.texts) + len(node.parameters) <= 32:
            for text, child in node.texts.items():
                reason = f"with {text!r}" if text else "with a slash at its end"
                yield _Move(_SEGMENT if text else _CASE, child, 0, text, reason)
            for parameter, child in node.parameters.items():
                shown = str(parameter)
                yield _Move(_SEGMENT, child, 0, shown, f"with something for {shown}")

    def _to_texts(self, node: _Node, segment: str, budget: _Budget) -> Iterator[_Move]:
        exact = node.texts.get(segment)
        if exact is not None:
            yield _Move(0.0, exact, 1, segment, None, bool(segment))
        letters = set(segment)
        plain = _plain(segment) if len(segment) <= _LONGEST_TEXT else segment
        for text, child in node.texts.items():
            if budget.texts <= 0 or budget.distances <= 0:
                return
            budget.texts -= 1
            most = _edits(segment, text)
            if abs(len(text) - len(segment)) > most or text == segment or not text:
                continue
            if _plain(text) == plain:
                yield _Move(_CASE, child, 1, text, f"{text!r} for {segment!r}", True)
                continue
            # Each edit changes which letters there are by two at the most.
            if len(letters.symmetric_difference(text)) > 2 * most:
                continue
            budget.distances -= 1
            edits = distance(segment, text, most)
            if edits <= most:
                yield _Move(float(edits), child, 1, text, f"{text!r} for {segment!r}", True)

    def _to_parameter(
        self, parameter: Parameter, child: _Node, segments: list[str], at: int
    ) -> Iterator[_Move]:
        used = len(segments) - at if parameter.rest else 1
        text = "/".join(segments[at:]) if parameter.rest else segments[at]
        if not text:
            return
        why = self._refusal(parameter, text)
        if why is None:
            yield _Move(0.0, child, used, text, None)
        else:
            yield _Move(_REFUSED, child, used, str(parameter), why)
