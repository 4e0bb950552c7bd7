"""explain() says what match() does, for random tables and paths; and it says why.

GUAVA_REPEAT=1000 takes 5 000 random tables instead of 75, each with 20 paths.
"""

import collections
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guava_router import (
    Answer,
    Match,
    MethodNotAllowed,
    MVCRouter,
    NotFound,
    RedirectHandler,
    RESTRouter,
    RouteConflict,
    RouteError,
    Router,
)

REPEAT = int(os.environ.get("GUAVA_REPEAT", "15"))


class Hex:
    """A converter of one's own: two hexadecimal digits."""

    def convert(self, text: str) -> int:
        if len(text) != 2:
            raise ValueError("two digits were expected")
        return int(text, 16)

    def format(self, value: Any) -> str:
        return format(value, "02x")


TEXTS = ["a", "b", "ab", "abc", "é", "è", "a-b", "1", "-", "x.y", "~"]
CONVERTERS = ["", "", ":int", ":float", ":uuid", ":date", ":hex", ":path"]
UUID = "12345678-9abc-def0-1234-56789abcdef0"
VALUES = [*TEXTS, "", "7", "-3", "007", "1.5", "2024-02-29", "2023-02-29", UUID, "ff", "fg", "7.x"]
FITTING = {
    "int": ["7", "-3", "007"],
    "float": ["1.5", "-3", "0.25"],
    "uuid": [UUID],
    "date": ["2024-02-29"],
    "hex": ["ff", "0a"],
    "path": ["a/b", "a", "1/"],
}
HOSTS = [None, None, None, "a.example", "{sub}.example", "{sub:int}.example", "b-{sub}.example"]
ASKED = [None, "a.example", "A.Example:80", "x.example.", "7.example", "b-c.example", "a.b.c", ""]
METHODS = [None, None, ["GET"], ["POST"], ["GET", "PUT"], ["HEAD"], ["OPTIONS"]]


def random_segment(rng: random.Random, names: list[str]) -> str:
    if rng.random() < 0.5:
        return rng.choice(TEXTS)
    parts = []
    for _ in range(rng.choice((1, 1, 1, 2))):
        names.append(f"p{len(names)}")
        before = rng.choice(("", "", "", "a", "v-", "é"))
        parts.append(f"{before}{{{names[-1]}{rng.choice(CONVERTERS)}}}")
    return rng.choice(("", ".", "-")).join(parts) + rng.choice(("", "", "", ".json", "b", "è"))


def random_pattern(rng: random.Random) -> str:
    names: list[str] = []
    segments = [random_segment(rng, names) for _ in range(rng.randrange(1, 5))]
    return "/" + "/".join(segments) + rng.choice(("", "", "", "/"))


def random_path(rng: random.Random, patterns: list[str]) -> str:
    """Mostly near to a pattern."""
    if rng.random() < 0.15 or not patterns:
        return "/" + "/".join(rng.choices(VALUES, k=rng.randrange(5)))
    path = rng.choice(patterns)
    while "{" in path:
        before, _, rest = path.partition("{")
        name, _, rest = rest.partition("}")
        fitting = FITTING.get(name.partition(":")[2], TEXTS)
        path = before + rng.choice(fitting if rng.random() < 0.8 else VALUES) + rest
    if rng.random() < 0.3:
        path = path[:-1] if path.endswith("/") and path != "/" else path + "/"
    if rng.random() < 0.1:
        at = rng.randrange(len(path))
        path = path[:at] + path[at + 1 :]
    return path


def random_router(rng: random.Random) -> tuple[Router, list[str]]:
    mount = rng.choice(("/", "/", "/m", "/é/n"))
    slash: Any = rng.choice(("redirect", "strict", "loose"))
    router = Router(mount_point=mount, slash=slash, converters={"hex": Hex()})
    patterns = []
    for i in range(rng.choice((1, 3, 8, 30))):
        pattern = random_pattern(rng)
        try:
            router.register(
                pattern,
                i,
                methods=rng.choice(METHODS),
                host=rng.choice(HOSTS),
                name=rng.choice((None, f"n{i}")),
            )
        except (RouteConflict, RouteError):
            continue
        patterns.append(("" if mount == "/" else mount) + pattern)
    return router, patterns


def facts(answer: Match | Answer) -> tuple[Any, ...]:
    if isinstance(answer, Match):
        return answer.target, answer.params, answer.name, answer.pattern, answer.route
    return type(answer), answer.status, answer.headers


@pytest.mark.parametrize("seed", range(5))
def test_it_says_what_match_does(seed: int) -> None:
    rng = random.Random(seed)
    kinds = collections.Counter[str]()
    for _ in range(REPEAT):
        router, patterns = random_router(rng)
        for _ in range(20):
            path = random_path(rng, patterns)
            method = rng.choice(("GET", "GET", "POST", "HEAD", "OPTIONS", "PUT", "get"))
            host = rng.choice(ASKED)
            found = router.match(method, path, host)
            explained = router.explain(method, path, host)
            asked = (method, path, host, str(router.routes()))
            assert facts(explained.answer) == facts(found), (asked, str(explained))
            kinds[type(found).__name__] += 1
    assert kinds["Match"] > kinds.total() // 10, kinds
    assert kinds["NotFound"] and kinds["MethodNotAllowed"], kinds


def test_both_give_up_at_the_same_point() -> None:
    """A path costs no more tries than its length allows, and then it is not found."""
    router = Router()
    router.register("/{a}-{b}-{c}-{d}-{e}-x", 1)
    router.register("/{a}-{b}-{c}-y/{f}", 2)
    answers = set()
    for n in (2, 4, 7, 12, 24, 40):
        for end in ("-x", "-z", "-y/1", ""):
            path = "/" + "-" * n + "é" * (n % 3) + end
            found = router.match("GET", path)
            assert facts(router.explain("GET", path).answer) == facts(found), path
            answers.add(type(found))
    assert answers == {Match, NotFound}


@pytest.fixture
def router() -> Router:
    router = Router({"/": 1, "/about": 2})
    router.register("/users/{id:int}", 3, methods=["GET"], name="user")
    router.register("/users/{id:int}/posts", 4)
    router.register("/users/{name}/friends", 5)
    router.register("/files/{rest:path}", 6)
    router.register("/report-{year:int}.pdf", 7)
    router.register("/inner", 8, host="{tenant}.example.com")
    return router


CASES = [
    ("GET", "/users/7", ["takes", "match"]),
    ("GET", "/users/seven", ["refuses", "takes", "dead end"]),
    ("GET", "/users/seven/friends", ["refuses", "takes", "match"]),
    ("GET", "/users/7/friends", ["takes", "dead end", "takes", "match"]),
    ("POST", "/users/7", ["takes", "method", "takes", "dead end"]),
    ("GET", "/about/", ["dead end", "slash"]),
    ("GET", "/report-x.pdf", ["refuses"]),
    ("GET", "/report-2024.png", ["takes", "dead end"]),
    ("GET", "/report-2024", ["refuses"]),
    ("GET", "/files/a/b", ["takes", "match"]),
    ("GET", "/nothing", ["dead end"]),
]


@pytest.mark.parametrize(("method", "path", "outcomes"), CASES)
def test_the_steps(router: Router, method: str, path: str, outcomes: list[str]) -> None:
    assert [step.outcome for step in router.explain(method, path).steps] == outcomes


def test_the_text(router: Router) -> None:
    lines = str(router.explain("GET", "/users/7/friend")).splitlines()
    assert lines[0] == "GET /users/7/friend"
    told = [" ".join(line.split()) for line in lines[1:]]
    assert told[0] == "/users/{id:int} takes: '7'"
    assert told[1] == "/users/{id:int}/ dead end: no 'friend' here, but 'posts'"
    assert told[3] == "/users/{name}/ dead end: no 'friend' here, but 'friends'"
    assert told[4] == "-> 404 Not Found"
    assert told[5:] == ["did you mean", "/users/7/friends 'friends' for 'friend'"]


def test_a_match_tells_its_route(router: Router) -> None:
    last = str(router.explain("HEAD", "/users/7")).splitlines()[-1]
    assert last.startswith("-> 3  /users/{id:int}  id=7  ")
    assert Path(__file__).name in last


def test_hosts(router: Router) -> None:
    assert isinstance(router.explain("GET", "/inner").answer, NotFound)
    found = router.explain("GET", "/inner", "Shop.example.com:8000")
    assert isinstance(found.answer, Match)
    assert found.answer.params == {"tenant": "shop"}
    assert "(host Shop.example.com:8000)" in str(found)


def test_found(router: Router) -> None:
    for method, path, found in [
        ("GET", "/about", True),
        ("GET", "/about/", True),
        ("OPTIONS", "/users/7", True),
        ("PUT", "/users/7", False),
        ("GET", "/x", False),
    ]:
        assert router.explain(method, path).found is found


def test_json_can_hold_it(router: Router) -> None:
    for path in ("/users/7", "/users/x", "/about/", "/abuot"):
        explanation = router.explain("GET", path)
        data = json.loads(json.dumps(explanation.to_dict()))
        assert data["path"] == path
        assert data["found"] is explanation.found
        assert len(data["steps"]) == len(explanation.steps) > 0
    assert data["suggestions"][0]["path"] == "/about"
    data = router.explain("POST", "/users/7").to_dict()
    assert data["answer"] == {"status": 405, "allowed": ["GET", "HEAD", "OPTIONS"]}
    assert router.explain("GET", "/users/7").to_dict()["answer"]["params"] == {"id": "7"}


def test_paths_that_no_route_can_have(router: Router) -> None:
    for path in ("", "no-slash", "/\udc80", "/\0", "/" + "a/" * 5000, "//", "/users//"):
        assert facts(router.explain("GET", path).answer) == facts(router.match("GET", path))


def test_a_slash_that_only_a_path_parameter_takes_is_no_other_path() -> None:
    router = Router({"/x-{rest:path}": 1, "/files/{rest:path}": 2})
    for path in ("/x-", "/files", "/files/"):
        for asked in (router.match("GET", path), router.explain("GET", path).answer):
            assert isinstance(asked, NotFound)
    router.register("/x-/", 3)
    for asked in (router.match("GET", "/x-"), router.explain("GET", "/x-").answer):
        assert isinstance(asked, RedirectHandler)


def test_a_path_outside_of_the_mount_point() -> None:
    explanation = Router({"/a": 1}, mount_point="/shop").explain("GET", "/shopping/a")
    assert isinstance(explanation.answer, NotFound)
    assert explanation.steps[0].outcome == "router"
    assert [near.path for near in explanation.suggestions] == []


def test_a_router_that_decides_by_itself() -> None:
    class Own(Router):
        def route(self, req: Any) -> Any:
            return RedirectHandler("/there") if req.path == "/here" else None

    own = Own({"/table": 1})
    for path in ("/here", "/table", "/none"):
        explanation = own.explain("GET", path)
        assert facts(explanation.answer) == facts(own.match("GET", path))
        assert "Own decides by itself" in str(explanation)


def test_conventions(program: Callable[..., Path]) -> None:
    program(
        {
            "pages/__init__.py": "",
            "pages/blog_post.py": """
                class BlogPostController:
                    def view(self, id: int, page=1): pass
                    def all(self, *names): pass
            """,
            "api/__init__.py": "",
            "api/users.py": """
                class UsersController:
                    def get_all(self): pass
                    def get_one(self, user_id: int): pass
            """,
        }
    )
    mvc, rest = MVCRouter("/", "pages"), RESTRouter("/api", "api")
    for router, paths in [
        (mvc, ["/blog-post/view/7", "/blog_post/view/7/2/", "/blog-post/all/a/b", "/blog-post"]),
        (mvc, ["/blog-post/view/x", "/blog-post/view", "/nothing", "/"]),
        (rest, ["/api/users", "/api/users/7", "/api/users/x", "/api/user", "/users"]),
    ]:
        for path in paths:
            for method in ("GET", "DELETE", "OPTIONS"):
                explanation = router.explain(method, path)
                found, answer = router.match(method, path), explanation.answer
                assert type(found) is type(answer)
                assert getattr(found, "status", None) == getattr(answer, "status", None)
                assert explanation.steps
    told = str(mvc.explain("GET", "/blog-post/view/7"))
    assert "blog_post.BlogPostController.view" in told
    assert str(mvc.explain("GET", "/blogpost/view/7")).endswith("'blog-post' for 'blogpost'")
    assert isinstance(rest.explain("DELETE", "/api/users/7").answer, MethodNotAllowed)
