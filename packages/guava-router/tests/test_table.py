"""Table: the segment tree, also against a plain model of its rules with random routes."""

import random

import pytest
from guava_router import Handler
from guava_router._core import Table

Routes = list[tuple[tuple[str | None, ...], str | None, object, int, int]]


def model(routes: Routes, method: str, path: str, loose: bool, fold: bool) -> object:
    """The rules: a text before a parameter, a longer way before a shorter, a method before any."""
    segments = path[1:].split("/")
    if loose and segments[-1] == "":
        segments = segments[:-1]

    def text(segment: str) -> str:
        return segment.replace("-", "_") if fold else segment

    def choose(prefix: tuple[str | None, ...], n: int) -> object:
        fitting = [r for r in routes if r[0] == prefix and r[3] <= n and (r[4] < 0 or n <= r[4])]
        named = [r for r in fitting if r[1] == method]
        any_method = [r for r in fitting if r[1] is None]
        return (named[:1] or any_method[-1:] or [(None, None, None)])[0][2]

    def exists(prefix: tuple[str | None, ...]) -> bool:
        return any(r[0][: len(prefix)] == prefix for r in routes)

    def visit(prefix: tuple[str | None, ...], rest: list[str]) -> object:
        if not rest:
            return choose(prefix, 0)
        steps: list[str | None] = [text(rest[0])]
        if rest[0]:
            steps.append(None)
        for step in steps:
            if exists((*prefix, step)):
                found = visit((*prefix, step), rest[1:])
                if found is not None:
                    return found
        return choose(prefix, len(rest)) if all(rest) else None

    return visit((), segments)


@pytest.mark.parametrize("seed", range(30))
def test_random_tables_do_what_the_model_does(seed: int) -> None:
    rng = random.Random(seed)
    loose, fold = rng.random() < 0.5, rng.random() < 0.5
    words = ["a", "b_c", "index", "x" * 8, "y" * 9, "long_word_" * 5, "ä"]
    routes: Routes = []
    for i in range(rng.randrange(1, 60)):
        segments = tuple(rng.choice([*words, None]) for _ in range(rng.randrange(5)))
        low = rng.randrange(3)
        high = rng.choice([0, low, low + 1, -1]) if low else rng.choice([0, 0, 2])
        if 0 <= high < low:
            low = high
        routes.append((segments, rng.choice([None, "GET", "POST"]), f"route {i}", low, high))
    table = Table(routes, fold=fold, loose_slash=loose)
    answers = set()
    for _ in range(400):
        parts = [rng.choice([*words, "b-c", "long-word-" * 5, "", "other"]) for _ in range(6)]
        path = "/" + "/".join(parts[: rng.randrange(7)])
        method = rng.choice(["GET", "POST", "PUT"])
        expected = model(routes, method, path, loose, fold)
        assert table.match(method, path) == expected, (path, method, routes)
        answers.add(expected)
    assert len(answers) > 1, "nothing was ever found"


def test_ten_thousand_routes_and_one_segment_more() -> None:
    routes: Routes = [((f"r{i}", f"s{i % 7}"), None, i, 0, 0) for i in range(10_000)]
    table = Table(routes)
    assert all(table.match("GET", f"/r{i}/s{i % 7}") == i for i in range(10_000))
    assert table.match("GET", "/r5/s6") is None
    assert table.match("GET", "/r10000/s0") is None


def test_arguments_come_from_parameters_and_the_rest() -> None:
    handler = Handler(".", "m", "C", "x", ("fixed",))
    table = Table([(("a", None, "b"), None, handler, 0, -1)])
    found = table.match("GET", "/a/1/b/22/é")
    assert found == Handler(".", "m", "C", "x", ("fixed", "1", "22", "é"))
    assert found.endpoint is handler.endpoint


def test_a_match_without_arguments_is_the_handler_itself() -> None:
    handler = Handler(".", "m", "C", "x")
    assert Table([(("a",), None, handler, 0, 0)]).match("GET", "/a") is handler


def test_no_argument_is_empty() -> None:
    table = Table([(("a",), None, Handler(".", "m", "C"), 0, -1)], loose_slash=True)
    assert table.match("GET", "/a/1/").args == ("1",)
    assert table.match("GET", "/a//1") is None
    assert table.match("GET", "/a/1//") is None


def test_a_way_that_ends_nowhere_is_gone_back() -> None:
    routes: Routes = [
        (("users", "search"), None, "search", 0, 0),
        (("users", None, "friends"), None, "friends", 0, 0),
        (("users", None, "friends", None), None, "friend", 0, 0),
    ]
    table = Table(routes)
    assert table.match("GET", "/users/search") == "search"
    assert table.match("GET", "/users/search/friends") == "friends"
    assert table.match("GET", "/users/search/friends/search") == "friend"
    assert table.match("GET", "/users/7") is None


def test_a_slash_at_the_end_counts_unless_it_is_loose() -> None:
    strict = Table([(("a",), None, "a", 0, 0), (("b", ""), None, "b", 0, 0)])
    assert (strict.match("GET", "/a"), strict.match("GET", "/a/")) == ("a", None)
    assert (strict.match("GET", "/b"), strict.match("GET", "/b/")) == (None, "b")
    loose = Table([(("a",), None, "a", 0, 0), ((), None, "root", 0, 0)], loose_slash=True)
    assert [loose.match("GET", p) for p in ("/a", "/a/", "/a//", "/")] == ["a", "a", None, "root"]


def test_very_long_texts() -> None:
    long = "x" * 100_000
    table = Table([((long,), None, "long", 0, 0), (("a",), None, "rest", 0, -1)], fold=True)
    assert table.match("GET", "/" + long) == "long"
    assert table.match("GET", "/" + long + "y") is None
    assert table.match("GET", "/" + "-" * 100_000) is None
    assert table.match("GET", "/a/" + "b/" * 50_000 + "c") == "rest"


@pytest.mark.parametrize("path", ["", "a", "*", "\ud800", "/\ud800"])
def test_what_is_no_path_matches_nothing(path: str) -> None:
    assert Table([((None,), None, "any", 0, -1)]).match("GET", path) is None


@pytest.mark.parametrize(
    ("routes", "error"),
    [
        (3, TypeError),
        ([3], TypeError),
        ([()], TypeError),
        ([(["a"], None, 1, 0, 0)], TypeError),
        ([((3,), None, 1, 0, 0)], TypeError),
        ([(("a",), 3, 1, 0, 0)], TypeError),
        ([(("a",), None, 1, -1, 0)], ValueError),
        ([(("a",), None, 1, 0, -2)], ValueError),
        ([(("a",), None, 1, 0, 2**40)], ValueError),
        ([(("a/b",), None, 1, 0, 0)], ValueError),
        ([(("\ud800",), None, 1, 0, 0)], UnicodeEncodeError),
        ([(("a",) * 65, None, 1, 0, 0)], ValueError),
        ([(("a",), None, 1, 0, 0), None], TypeError),
    ],
)
def test_what_is_no_table(routes: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        Table(routes)  # type: ignore[arg-type]


def test_the_deepest_table() -> None:
    table = Table([((None,) * 64, None, Handler(".", "m", "C"), 0, 0)])
    assert len(table.match("GET", "/a" * 64).args) == 64
    assert table.match("GET", "/a" * 65) is None
