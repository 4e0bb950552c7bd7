"""Mounts.match(), .explain() and .tree(): many routers looked at as one."""

import random
from types import SimpleNamespace
from typing import Any

import pytest
from guava_router import (
    Match,
    MethodNotAllowed,
    Mounts,
    NotFound,
    RedirectHandler,
    Router,
    StaticRouter,
)


class Own(Router):
    """A custom router: it has /own, and what was registered."""

    def route(self, req: Any) -> Any:
        return RedirectHandler("/there") if req.path.endswith("/own") else None


def facts(answer: Any) -> tuple[Any, ...]:
    if isinstance(answer, Match):
        return answer.target, answer.params, answer.pattern
    return type(answer), answer.status, answer.headers


@pytest.fixture
def mounts() -> Mounts:
    first, second = Router({"/a/": "first"}), Router({"/a": "second"})
    first.register("/m", "get", methods=["GET"])
    second.register("/m", "post", methods=["POST"])
    shop = Router({"/cart": "cart"}, mount_point="/shop")
    return Mounts(first, second, shop, Own({"/table": "own"}))


def test_a_real_match_goes_before_a_redirect_and_405(mounts: Mounts) -> None:
    for method, path, target in [
        ("GET", "/a", "second"),
        ("GET", "/a/", "first"),
        ("POST", "/m", "post"),
        ("HEAD", "/m", "get"),
        ("GET", "/shop/cart", "cart"),
        ("GET", "/table", "own"),
    ]:
        found = mounts.match(method, path)
        assert isinstance(found, Match) and found.target == target


def test_if_nobody_matches_the_first_answer_counts(mounts: Mounts) -> None:
    answer = mounts.match("DELETE", "/m")
    assert isinstance(answer, MethodNotAllowed)
    assert answer.allowed == ("GET", "HEAD", "OPTIONS")
    assert isinstance(mounts.match("GET", "/shop/a"), NotFound)
    assert isinstance(mounts.match("GET", "/shop/own"), RedirectHandler)
    assert isinstance(Mounts().match("GET", "/"), NotFound)


def test_the_explanation_names_the_routers_in_their_order(mounts: Mounts) -> None:
    explanation = mounts.explain("DELETE", "/m")
    asked = [step.detail for step in explanation.steps if step.detail.startswith("<")]
    assert asked == ["<Own at />", "<Router at />", "<Router at />"]
    assert "unless another has it" in str(explanation)
    assert str(mounts.explain("GET", "/shop/crat")).endswith("'cart' for 'crat'")
    only = Mounts(Router({"/a": 1}, mount_point="/x"))
    assert "no router lies above this path, but at '/x'" in str(only.explain("GET", "/y"))


def test_tree_and_routes(mounts: Mounts) -> None:
    assert "/shop/cart" in str(mounts.tree())
    assert len(str(mounts.tree()).splitlines()) >= len(mounts.routes()) == 6


def test_files_among_them(tmp_path: Any) -> None:
    (tmp_path / "a.css").write_text("a {}")
    (tmp_path / "folder").mkdir()
    mounts = Mounts(StaticRouter("/static", tmp_path), Router({"/static/b": 1}))
    assert isinstance(mounts.match("GET", "/static/a.css"), Match)
    for path, said in [
        ("/static/a.css", "-> StaticHandler("),
        ("/static/none", "no file that may be served"),
        ("/static/folder", "redirected to /static/folder/"),
    ]:
        explanation = mounts.explain("GET", path)
        assert type(explanation.answer) is type(mounts.match("GET", path))
        assert said in str(explanation)


@pytest.mark.parametrize("seed", range(5))
def test_explain_says_what_match_does_and_match_what_route_does(seed: int) -> None:
    rng = random.Random(seed)
    patterns = ["/a", "/a/", "/b", "/own", "/{x}", "/a/{x:int}", "/{r:path}"]
    for _ in range(40):
        routers = []
        for _ in range(rng.randrange(1, 6)):
            kind = rng.choice((Router, Router, Own))
            router = kind(mount_point=rng.choice(("/", "/a", "/a/b")))
            for pattern in rng.sample(patterns, rng.randrange(4)):
                methods = rng.choice((None, ["GET"], ["POST"]))
                router.register(pattern, f"{len(routers)}{pattern}", methods=methods)
            routers.append(router)
        mounts = Mounts(*routers)
        for _ in range(20):
            path = "/" + "/".join(rng.choices(["a", "b", "1", "own", ""], k=rng.randrange(4)))
            method = rng.choice(("GET", "POST", "OPTIONS"))
            found = mounts.match(method, path)
            explained = mounts.explain(method, path)
            assert facts(explained.answer) == facts(found), str(explained)
            routed = mounts.route(SimpleNamespace(method=method, path=path, host=None))
            answer = NotFound() if routed is None else routed[1]
            if isinstance(found, Match) and not isinstance(answer, Match):
                assert answer == found.target
            else:
                assert facts(answer) == facts(found)
