"""A real table: GitHub's REST API, more than a thousand operations, against a naive model.

tests/data/github.txt has the method and the path of each, and says where they are from.
"""

import random
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from guava_router import (
    AllowedMethods,
    Match,
    MethodNotAllowed,
    NotFound,
    RedirectHandler,
    RouteConflict,
    Router,
)

DATA = Path(__file__).parent / "data" / "github.txt"
PARAMETER = re.compile(r"{([^}]*)}")

Operation = tuple[str, str]


def read() -> list[Operation]:
    """Method and pattern. A name that is not Python's, as "enterprise-team", is made one."""
    found = []
    for line in DATA.read_text().splitlines():
        if not line.startswith("#"):
            method, path = line.split()
            found.append((method, PARAMETER.sub(lambda one: one[0].replace("-", "_"), path)))
    return found


OPERATIONS = read()


def registered(operations: list[Operation]) -> Router:
    router = Router()
    for method, pattern in operations:
        router.register(pattern, (method, pattern), methods=[method], name=f"{method} {pattern}")
    return router


@pytest.fixture(scope="module")
def router() -> Router:
    return registered(OPERATIONS)


class Model:
    """All patterns, one after the other; of those that match, the one with the first static
    segment where another one has a parameter. It knows nothing of trees."""

    def __init__(self, operations: list[Operation]) -> None:
        self.patterns: dict[str, dict[str, Operation]] = defaultdict(dict)
        for method, pattern in operations:
            self.patterns[pattern][method] = (method, pattern)
        self.by_length: dict[int, list[list[str]]] = defaultdict(list)
        for pattern in self.patterns:
            parts = pattern.split("/")
            self.by_length[len(parts)].append(parts)

    def candidates(self, path: str) -> list[str]:
        """The patterns that match, best first."""
        segments = path.split("/")
        found = [
            parts
            for parts in self.by_length[len(segments)]
            if all(
                segment if part.startswith("{") else segment == part
                for part, segment in zip(parts[1:], segments[1:], strict=True)
            )
        ]
        found.sort(key=lambda parts: [part.startswith("{") for part in parts])
        return ["/".join(parts) for parts in found]

    def allowed(self, path: str) -> set[str]:
        methods = {
            method for pattern in self.candidates(path) for method in self.patterns[pattern]
        }
        return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())

    def match(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """What is registered for the best pattern that has the method."""
        for pattern in self.candidates(path):
            operation = self.patterns[pattern].get(method)
            if operation is not None:
                parts = zip(pattern.split("/"), path.split("/"), strict=True)
                return operation, {
                    part[1:-1]: segment for part, segment in parts if part.startswith("{")
                }
        return None


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(OPERATIONS)


def sampled(pattern: str, chance: random.Random) -> tuple[str, dict[str, str]]:
    """A path of a pattern, and its values; none of them is a word of the table."""
    values = {name: f"x{chance.randrange(10**9)}" for name in PARAMETER.findall(pattern)}
    return pattern.format_map(values), values


def test_the_list_is_what_it_says() -> None:
    assert len(OPERATIONS) == len(set(OPERATIONS)) > 900
    assert {method for method, _ in OPERATIONS} == {"GET", "POST", "PUT", "PATCH", "DELETE"}
    assert all(path.startswith("/") and not re.search(r"[?#\s]", path) for _, path in OPERATIONS)


def test_all_are_registered_and_none_is_in_the_way_of_another(router: Router) -> None:
    router.check()
    assert len(router.routes()) == len(OPERATIONS)
    listed = {(route.methods, route.pattern) for route in router.routes()}
    assert listed == {((method,), pattern) for method, pattern in OPERATIONS}


def test_one_more_of_any_is_a_conflict() -> None:
    """With other names for its parameters; the error has both places."""
    chance = random.Random(5)
    for method, pattern in chance.sample(OPERATIONS, 40):
        router = registered([(method, pattern)])
        other = PARAMETER.sub(lambda one: f"{{other_{one[1]}}}", pattern)
        with pytest.raises(RouteConflict) as raised:
            router.register(other, "another", methods=[method])
            router.check()
        assert pattern in str(raised.value)
        assert str(raised.value).count("test_github.py:") == 2


def test_each_finds_itself(router: Router) -> None:
    chance = random.Random(1)
    for method, pattern in OPERATIONS:
        path, values = sampled(pattern, chance)
        found = router.match(method, path)
        assert isinstance(found, Match), (method, path, found)
        assert found.target == (method, pattern)
        assert found.pattern == pattern
        assert found.name == f"{method} {pattern}"
        assert found.params == values
        assert list(found.params) == PARAMETER.findall(pattern)


def test_the_order_of_registration_does_not_count(router: Router) -> None:
    chance = random.Random(2)
    shuffled = list(OPERATIONS)
    chance.shuffle(shuffled)
    other = registered(shuffled)
    for method, pattern in OPERATIONS:
        path, _ = sampled(pattern, chance)
        one, two = router.match(method, path), other.match(method, path)
        assert isinstance(one, Match) and isinstance(two, Match)
        assert (one.target, one.params) == (two.target, two.params)


@pytest.mark.parametrize("text", ["a b", "ä/ö", "100%", "?&=#", "..", ";v=1", "{x}", "\U0001f34f"])
def test_addresses_lead_back(router: Router, text: str) -> None:
    """Whatever is in the values: url_for() writes an address, of which a server takes apart and
    decodes the path. A slash inside of a value would be lost on the way, and stays out."""
    from urllib.parse import unquote

    text = text.replace("/", "_")
    for number, (method, pattern) in enumerate(OPERATIONS):
        names = PARAMETER.findall(pattern)
        values = {name: f"{text}{number}{name}" for name in names}
        address = router.url_for(f"{method} {pattern}", **values)
        assert re.fullmatch(r"[A-Za-z0-9\-._~!$&'()*+,;=:@%/]+", address), address
        found = router.match(method, unquote(address))
        assert isinstance(found, Match), address
        assert found.target == (method, pattern)
        assert found.params == values


def test_other_methods_are_told_which_there_are(router: Router, model: Model) -> None:
    chance = random.Random(3)
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")
    refused = 0
    for pattern in model.patterns:
        path, _ = sampled(pattern, chance)
        allowed = model.allowed(path)
        options = router.match("OPTIONS", path)
        assert isinstance(options, AllowedMethods), path
        assert set(dict(options.headers)["Allow"].split(", ")) == allowed
        for method in methods:
            if method not in allowed:
                refused += 1
                found = router.match(method, path)
                assert isinstance(found, MethodNotAllowed), (method, path, found)
                assert found.status == 405
                assert set(dict(found.headers)["Allow"].split(", ")) == allowed
    assert refused > len(model.patterns)


def test_head_is_answered_by_get(router: Router, model: Model) -> None:
    chance = random.Random(4)
    kinds = set()
    for pattern in model.patterns:
        path, _ = sampled(pattern, chance)
        # Also where a name in the path, which has no GET, could be a value, too.
        wanted, found = model.match("GET", path), router.match("HEAD", path)
        if wanted is not None:
            assert isinstance(found, Match), path
            assert (found.target, found.params) == wanted
        else:
            assert isinstance(found, MethodNotAllowed), path
        kinds.add(type(found))
    assert len(kinds) == 2


def test_a_last_slash_too_many_leads_to_the_address(router: Router) -> None:
    chance = random.Random(6)
    for method, pattern in OPERATIONS:
        if pattern != "/":
            path, _ = sampled(pattern, chance)
            found = router.match(method, path + "/", query="a=b")
            assert isinstance(found, RedirectHandler), path
            assert found.status == 308
            assert dict(found.headers)["Location"] == f"{path}?a=b"


def test_random_paths_of_its_words_are_found_as_the_model_finds_them(
    router: Router, model: Model
) -> None:
    """Segments of the table in any order and mixed with others: static and parameter segments
    contradict each other, and many paths match several patterns."""
    chance = random.Random(7)
    patterns = list(model.patterns)
    words = sorted({part for pattern in patterns for part in pattern.split("/")[1:]})
    words = [word for word in words if word and not word.startswith("{")]
    seen: dict[str, int] = defaultdict(int)
    for _ in range(6_000):
        parts = chance.choice(patterns).split("/")
        for place in range(1, len(parts)):
            if parts[place].startswith("{") or chance.random() < 0.15:
                parts[place] = chance.choice(words) if chance.random() < 0.5 else "x"
        if chance.random() < 0.1:
            parts.append(chance.choice(words))
        path, method = "/".join(parts), chance.choice(("GET", "POST", "PUT", "DELETE"))
        wanted, found = model.match(method, path), router.match(method, path)
        told: Any = (found.target, found.params) if isinstance(found, Match) else None
        assert told == wanted, (method, path, found)
        if wanted is None:
            kind = MethodNotAllowed if model.candidates(path) else NotFound
            assert isinstance(found, kind), (method, path, found)
        seen[type(found).__name__] += 1
    assert set(seen) == {"Match", "MethodNotAllowed", "NotFound"}
    assert min(seen.values()) > 100
