"""Suggestions: near misses are found, and the work is bounded whatever is asked."""

import random
from collections.abc import Iterator

import pytest
from guava_router import suggest as module
from guava_router.shapes import Parameter, shape_of
from guava_router.suggest import Suggester, distance

PATTERNS = [
    "/",
    "/about",
    "/users",
    "/users/me",
    "/users/{id:int}",
    "/users/{id:int}/posts",
    "/users/{id:int}/posts/{slug}",
    "/files/{name:path}",
    "/reports/{year:int}.json",
    "/blog-post/view/{id?}",
    "/static/{path...}",
    "/shop/",
]


def refusal(parameter: Parameter, text: str) -> str | None:
    if parameter.converter == "int" and not text.isdecimal():
        return f"{text!r} is no int"
    return None


@pytest.fixture
def suggester() -> Suggester:
    return Suggester(PATTERNS, refusal)


def reference(a: str, b: str) -> int:
    """The same distance, by its definition."""
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return reference(a[1:], b[1:])
    ways = [reference(a[1:], b), reference(a, b[1:]), reference(a[1:], b[1:])]
    if len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0]:
        ways.append(reference(a[2:], b[2:]))
    return 1 + min(ways)


def test_the_distance_is_that_of_its_definition() -> None:
    rng = random.Random(5)
    for _ in range(1500):
        a, b = ("".join(rng.choices("abc", k=rng.randrange(7))) for _ in range(2))
        most = rng.randrange(5)
        assert distance(a, b, most) == min(reference(a, b), most + 1), (a, b, most)


@pytest.mark.parametrize(
    ("path", "suggested", "reason"),
    [
        ("/abuot", "/about", "'about' for 'abuot'"),
        ("/About", "/about", "'about' for 'About'"),
        ("/user", "/users", "'users' for 'user'"),
        ("/users/10/post", "/users/10/posts", "'posts' for 'post'"),
        ("/users/ten", "/users/{id:int}", "'ten' is no int"),
        ("/user/10/psts/hello", "/users/10/posts/hello", "'users' for 'user'; 'posts' for 'psts'"),
        ("/about/", "/about", "with one slash less"),
        ("/shop", "/shop/", "with a slash at its end"),
        ("/10/posts", "/users/10/posts", "with 'users'"),
        ("/v1/users", "/users", "without 'v1'"),
        ("/file/a/b/c", "/files/a/b/c", "'files' for 'file'"),
        ("/blog_post/view/7", "/blog-post/view/7", "'blog-post' for 'blog_post'"),
        ("/statics/css/a.css", "/static/css/a.css", "'static' for 'statics'"),
        ("/blog-post/veiw", "/blog-post/view", "'view' for 'veiw'"),
    ],
)
def test_a_near_miss(suggester: Suggester, path: str, suggested: str, reason: str) -> None:
    first = suggester.near(path)[0]
    assert (first.path, first.reason) == (suggested, reason)
    assert first.pattern in PATTERNS


@pytest.mark.parametrize(
    "path", ["/zzzzzzzz", "/q/w/e/r/t/y", "/" + "x" * 300, "//", "/\0", "", "/q/"]
)
def test_what_is_near_to_nothing_gets_none(suggester: Suggester, path: str) -> None:
    assert suggester.near(path) == ()


def test_the_path_itself_is_not_suggested(suggester: Suggester) -> None:
    for path in ("/about", "/users/10", "/users/me"):
        assert path not in [s.path for s in suggester.near(path)]


def test_at_most_as_many_as_asked_for(suggester: Suggester) -> None:
    assert len(suggester.near("/users/10/posts/a/b", 1)) == 1
    assert suggester.near("/abuot", 0) == ()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Counts what a search does."""
    done = {"distances": 0, "states": 0}
    real_distance, real_pop = module.distance, module.heapq.heappop

    def counted(a: str, b: str, most: int) -> int:
        done["distances"] += 1
        return real_distance(a, b, most)

    def popped(heap):  # type: ignore[no-untyped-def]
        done["states"] += 1
        return real_pop(heap)

    monkeypatch.setattr(module, "distance", counted)
    monkeypatch.setattr(module.heapq, "heappop", popped)
    yield done


@pytest.mark.parametrize(
    "path",
    [
        "/routes/r01234x/detail",
        "/" + "a/" * 20_000,
        "/" + "r" * 100_000,
        "/routes/" + "r0" * 30 + "/" + "x/" * 500,
    ],
)
def test_the_work_is_bounded(work: dict[str, int], path: str) -> None:
    suggester = Suggester(f"/routes/r{i:05}/detail" for i in range(30_000))
    suggester.near(path)
    assert work["states"] <= module._MOST_STATES
    assert work["distances"] <= module._MOST_DISTANCES


def test_shapes() -> None:
    assert shape_of("/") == ("",)
    assert shape_of("/a/{b:int}/") == ("a", Parameter("b", "int", "", "", False, False), "")
    assert shape_of("/{a}.json")[0] == Parameter("a", "str", "", ".json", False, False)
    assert shape_of("/{rest:path}")[0] == Parameter("rest", "path", "", "", False, True)
    assert shape_of("/{path...}")[0] == Parameter("path", "str", "", "", True, True)
    assert shape_of("/{...}")[0] == Parameter("", "str", "", "", True, True)
    for text in ("{a}", "{a?}", "{a:int}", "v{a:int}.x", "{a:path}", "{a...}"):
        assert str(shape_of("/" + text)[0]) == text
