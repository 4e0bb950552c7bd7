"""The radix tree: against a plain model of its rules with random patterns, and its bounds."""

from __future__ import annotations

import datetime
import random
import re
import threading
import uuid

import pytest
from guava_router import (
    Match,
    MethodNotAllowed,
    NotFound,
    RedirectHandler,
    RouteConflict,
    Router,
)

# ---- the model: it looks at every route, and knows nothing of trees ----------------------------

FORMS = {
    "uuid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "int": r"-?[0-9]+",
    "float": r"-?[0-9]+(?:\.[0-9]+)?",
    "str": r"[^/]+",
    "path": r".+",
}
VALUES = {
    "uuid": uuid.UUID,
    "date": datetime.date.fromisoformat,
    "int": int,
    "float": float,
    "str": str,
    "path": str,
}
RANKS = list(FORMS)
PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")


def fits(pattern: str, path: str) -> dict[str, object] | None:
    """The parameters' values, each as long as it can be, the first before the second."""
    parts: list[str] = []
    kinds: dict[str, str] = {}
    at = 0
    for found in PARAMETER.finditer(pattern):
        parts.append(re.escape(pattern[at : found.start()]))
        kinds[found[1]] = found[2] or "str"
        parts.append(f"(?P<{found[1]}>{FORMS[kinds[found[1]]]})")
        at = found.end()
    parts.append(re.escape(pattern[at:]))
    whole = re.fullmatch("".join(parts), path, re.DOTALL)
    if whole is None:
        return None
    try:
        return {name: VALUES[kind](whole[name]) for name, kind in kinds.items()}
    except ValueError:
        return None  # the thirtieth of February


def precedence(pattern: str) -> list[tuple[int, str]]:
    """Character by character: text before a parameter, parameters by their converters."""
    key: list[tuple[int, str]] = []
    at = 0
    for found in PARAMETER.finditer(pattern):
        key.extend((0, c) for c in pattern[at : found.start()])
        key.append((1 + RANKS.index(found[2] or "str"), ""))
        at = found.end()
    key.extend((0, c) for c in pattern[at:])
    return key


def better(one: str, other: str) -> str:
    """Of two patterns that fit the same path, the one that is tried first."""
    for a, b in zip(precedence(one), precedence(other), strict=False):
        if a == b:
            continue
        if a[0] != b[0]:
            return one if a < b else other
        break  # both go on with text: the text of one is behind a longer parameter, see below
    return ""


def model(routes: dict[str, object], path: str) -> list[str]:
    return [pattern for pattern in routes if fits(pattern, path) is not None]


SEGMENTS = ["a", "ab", "abc", "b", "users", "user", "é", "x" * 30, "v1"]
KINDS = ["", "", "", ":int", ":float", ":date", ":uuid"]
SHAPES = ["{}", "{}", "{}", "v{}", "{}.json", "a{}b", "{}-{}", "{}.json.gz"]
TEXTS = [
    *SEGMENTS,
    "7",
    "-7",
    "007",
    "1.5",
    "1.",
    "2024-02-29",
    "2023-02-29",
    "12345678-1234-1234-1234-123456789aBc",
    "a.json",
    "7.json",
    "7.json.gz",
    "a-b-c",
    "1-2",
    "v7",
    "v",
    "ab",
    "aXb",
    "aab",
    "",
    "x" * 31,
]


def random_pattern(rng: random.Random) -> str:
    segments: list[str] = []
    names = iter("pqrstuvwxyz")
    for _ in range(rng.randrange(1, 4)):
        if rng.random() < 0.5:
            segments.append(rng.choice(SEGMENTS))
        else:
            shape = rng.choice(SHAPES)
            kinds = [f"{{{next(names)}{rng.choice(KINDS)}}}" for _ in range(shape.count("{}"))]
            segments.append(shape.format(*kinds))
    end = rng.choice(["", "", "", "/", "/{rest:path}"])
    return "/" + "/".join(segments) + end


@pytest.mark.parametrize("seed", range(40))
def test_random_patterns_do_what_the_model_does(seed: int) -> None:
    rng = random.Random(seed)
    router = Router(slash="strict")
    routes: dict[str, object] = {}
    for _ in range(rng.randrange(2, 50)):
        pattern = random_pattern(rng)
        try:
            router.register(pattern, pattern)
        except RouteConflict:
            continue
        routes[pattern] = pattern
    hits = 0
    for _ in range(600):
        path = "/" + "/".join(rng.choice(TEXTS) for _ in range(rng.randrange(1, 5)))
        fitting = model(routes, path)
        found = router.match("GET", path)
        if not fitting:
            assert isinstance(found, NotFound), (path, found)
            continue
        hits += 1
        assert isinstance(found, Match), (path, fitting)
        assert found.target in fitting, (path, found.target)
        for other in fitting:
            assert better(str(found.target), other) in ("", found.target), (path, other)
        expected = fits(str(found.target), path)
        if expected is not None and all("-{" not in s for s in [str(found.target)]):
            assert found.params == expected, (path, found.target)
    assert hits > 0


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_registration_does_not_count(seed: int) -> None:
    rng = random.Random(seed)
    patterns = []
    first = Router()
    for _ in range(60):
        pattern = random_pattern(rng)
        try:
            first.register(pattern, pattern)
        except RouteConflict:
            continue
        patterns.append(pattern)
    rng.shuffle(patterns)
    second = Router({pattern: pattern for pattern in patterns})
    for _ in range(500):
        path = "/" + "/".join(rng.choice(TEXTS) for _ in range(rng.randrange(1, 5)))
        one, other = first.match("GET", path), second.match("GET", path)
        assert type(one) is type(other)
        if isinstance(one, Match) and isinstance(other, Match):
            assert (one.target, one.params) == (other.target, other.params)


# ---- precedence, word by word ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "path", "pattern"),
    [
        (["/{a}", "/x"], "/x", "/x"),
        (["/{a:int}", "/{b}"], "/7", "/{a:int}"),
        (["/{a:int}", "/{b}"], "/x", "/{b}"),
        (["/{a:float}", "/{b:int}"], "/7", "/{b:int}"),
        (["/{a:float}", "/{b:int}"], "/7.5", "/{a:float}"),
        (["/{a:path}", "/{b}"], "/x", "/{b}"),
        (["/{a:path}", "/{b}"], "/x/y", "/{a:path}"),
        (["/{a}/y", "/x/{b}"], "/x/y", "/x/{b}"),
        (["/{a}/z", "/x/{b}/q"], "/x/z", "/{a}/z"),
        (["/users/me", "/users/{id}/posts"], "/users/me/posts", "/users/{id}/posts"),
        (["/{a}.json", "/{b}"], "/x.json", "/{a}.json"),
        (["/{a}.json", "/{b}"], "/.json", "/{b}"),
        (["/v{n:int}", "/{b}"], "/v7", "/v{n:int}"),
        (["/v{n:int}", "/{b}"], "/vx", "/{b}"),
        (["/a{x}", "/{y}b"], "/ab", "/a{x}"),
        (["/{x}/{y:int}/{z:path}", "/{x}/{y}/b"], "/a/7/b", "/{x}/{y:int}/{z:path}"),
    ],
)
def test_precedence(patterns: list[str], path: str, pattern: str) -> None:
    for order in (patterns, patterns[::-1]):
        found = Router({p: p for p in order}).match("GET", path)
        assert isinstance(found, Match)
        assert found.target == pattern


def test_a_parameter_is_as_long_as_it_can_be() -> None:
    router = Router({"/{a}-{b}": 1, "/f/{name}.{kind}": 2})
    one, two = router.match("GET", "/x-y-z"), router.match("GET", "/f/a.tar.gz")
    assert isinstance(one, Match)
    assert isinstance(two, Match)
    assert one.params == {"a": "x-y", "b": "z"}
    assert two.params == {"name": "a.tar", "kind": "gz"}


# ---- bounds ------------------------------------------------------------------------------------


def test_a_path_cannot_make_a_match_expensive() -> None:
    """Parameters beside one another within a segment could be cut in very many ways."""
    router = Router({"/{a}-{b}-{c}-{d}-{e}-{f}-{g}!": 1})
    assert isinstance(router.match("GET", "/" + "-" * 50_000), NotFound)


def test_six_thousand_routes_and_one_text_more() -> None:
    router = Router()
    for i in range(2_000):
        router.register(f"/r{i}", i)
        router.register(f"/r{i}/{{id:int}}", -i)
        router.register(f"/r{i}/x/{{name}}/y", str(i))
    for i in range(0, 2_000, 7):
        here = [router.match("GET", f"/r{i}{rest}") for rest in ("", "/7", "/x/name/y")]
        assert [m.target for m in here if isinstance(m, Match)] == [i, -i, str(i)]
    assert isinstance(router.match("GET", "/r2000"), NotFound)
    assert isinstance(router.match("GET", "/r7/x"), NotFound)


def test_many_branches_and_long_texts() -> None:
    letters = [chr(c) for c in range(0x21, 0x7F) if chr(c) not in "{}?#/."]
    long = ["a" * n for n in range(1, 900, 7)]
    words = [*letters, *long, "é", "字", "x" * 1000]
    router = Router({f"/{word}": word for word in words})
    for word in words:
        found = router.match("GET", f"/{word}")
        assert isinstance(found, Match)
        assert found.target == word
        assert isinstance(router.match("GET", f"/{word}~"), NotFound)
    assert isinstance(router.match("GET", "/" + "a" * 100_000), NotFound)


def test_all_the_parameters_that_a_pattern_may_have() -> None:
    pattern = "".join(f"/{{p{i}:int}}" for i in range(32))
    found = Router({pattern: 1}).match("GET", "".join(f"/{i}" for i in range(32)))
    assert isinstance(found, Match)
    assert found.args == tuple(range(32))


# ---- threads -----------------------------------------------------------------------------------


def test_many_threads_match_while_routes_are_registered() -> None:
    router = Router({f"/r{i}/{{id:int}}": i for i in range(50)})
    wrong: list[object] = []
    done = threading.Event()

    def ask() -> None:
        i = 0
        while not done.is_set() or i < 2000:
            i += 1
            found = router.match("GET", f"/r{i % 50}/{i}")
            if not isinstance(found, Match) or found.target != i % 50 or found.params["id"] != i:
                wrong.append(found)
            if i > 1_000_000:
                break

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(200):
        router.register(f"/later{i}", i)
        assert isinstance(router.match("GET", f"/later{i}/"), RedirectHandler)
    done.set()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert wrong == []


def test_405_is_what_all_fitting_patterns_allow() -> None:
    router = Router()
    router.register("/a/{id:int}", 1, methods=["GET"])
    router.register("/a/{name}", 2, methods=["POST", "PURGE"])
    router.register("/{any:path}", 3, methods=["DELETE"])
    found = router.match("PUT", "/a/7")
    assert isinstance(found, MethodNotAllowed)
    assert found.allowed == ("GET", "HEAD", "POST", "DELETE", "PURGE", "OPTIONS")
