"""Router.tree(): every route has its line, whatever the shape of the tree."""

import random
import re

from guava_router import Mounts, Outline, Route, Router


def drawn(outline: Outline) -> list[str]:
    return re.findall(r"^[│├└─ ]*\S+", str(outline), re.MULTILINE)


def test_the_drawing() -> None:
    router = Router({"/": 1, "/users": 2, "/users/{id}/posts": 3, "/users/me": 4, "/a/b/c": 5})
    assert drawn(router.tree()) == [
        "├── /",
        "├── /a/b/c",
        "└── /users",
        "    ├── /me",
        "    └── /{id}/posts",
    ]
    assert repr(router.tree()) == str(router.tree())


def test_routes_of_one_pattern_have_a_line_each() -> None:
    router = Router()
    router.register("/a", 1, methods=["GET", "HEAD"])
    router.register("/a", 2, methods=["POST"])
    first, second = str(router.tree()).splitlines()
    assert first.split()[:4] == ["└──", "/a", "GET,", "HEAD"]
    assert second.split()[:2] == ["POST", "2"]


def test_nothing() -> None:
    assert str(Router().tree()) == ""
    assert Mounts().tree().to_dict() == {"hosts": []}


def test_a_deep_tree_and_a_wide_one() -> None:
    deep = [Route(None, "/" + "/".join("a" * n), n, "") for n in range(1, 1500)]
    assert len(str(Outline(deep)).splitlines()) == 1499
    wide = [Route(None, f"/r{n}", n, "") for n in range(5000)]
    assert len(str(Outline(wide)).splitlines()) == 5000


def test_every_route_is_in_it() -> None:
    rng = random.Random(5)
    for _ in range(100):
        patterns = {
            "/" + "/".join(rng.choices(["a", "b", "{c}", "d"], k=rng.randrange(1, 6)))
            for _ in range(rng.randrange(1, 30))
        }
        routes = [Route("GET", pattern, pattern, "") for pattern in sorted(patterns)]
        lines = str(Outline(routes)).splitlines()
        assert sorted(line.split("GET")[1].strip(" '") for line in lines if "GET" in line) == [
            route.pattern for route in routes
        ]

        def collected(segments: list[dict]) -> list[str]:  # type: ignore[type-arg]
            return [
                pattern
                for segment in segments
                for pattern in (
                    *(route["pattern"] for route in segment["routes"]),
                    *collected(segment["segments"]),
                )
            ]

        (host,) = Outline(routes).to_dict()["hosts"]
        assert sorted(collected(host["segments"])) == sorted(patterns)
