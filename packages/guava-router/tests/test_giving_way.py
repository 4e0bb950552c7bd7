"""At one mount point, an answer gives way to the route of another router."""

import pytest
from guava_router import (
    AllowedMethods,
    Match,
    MethodNotAllowed,
    Mounts,
    MVCRouter,
    RedirectHandler,
    RESTRouter,
    Router,
    StaticRouter,
    UnknownRoute,
)


def table(pattern: str, target: object, *methods: str, mount: str = "/") -> Router:
    router = Router(mount_point=mount)
    router.register(pattern, target, methods=methods or None)
    return router


def both(mounts: Mounts, request, path: str, method: str = "GET"):
    """What route() says, which is what match() says."""
    found = mounts.route(request(path, method))
    matched = mounts.match(method, path)
    if found is not None:
        assert isinstance(matched, Match) or type(matched) is type(found[1])
        assert not isinstance(matched, Match) or matched.target == found[1]
    return found


@pytest.mark.parametrize("mount", ["/", "/shop"])
def test_a_405_gives_way(request_to, mount) -> None:
    gets, posts = (
        table("/a", "got", "GET", mount=mount),
        table("/a", "posted", "POST", mount=mount),
    )
    mounts = Mounts(gets, posts)
    path = mount.rstrip("/") + "/a"
    assert both(mounts, request_to, path) == (gets, "got")
    assert both(mounts, request_to, path, "POST") == (posts, "posted")
    router, answer = both(mounts, request_to, path, "PUT")
    assert router is gets
    assert answer.allowed == ("GET", "HEAD", "OPTIONS")
    router, answer = both(mounts, request_to, path, "OPTIONS")
    assert router is gets
    assert isinstance(answer, AllowedMethods)


def test_a_redirect_to_another_slash_gives_way(request_to) -> None:
    slash, none = table("/a/", "with"), table("/a", "without")
    assert both(Mounts(slash, none), request_to, "/a") == (none, "without")
    assert both(Mounts(none, slash), request_to, "/a/") == (slash, "with")
    router, answer = both(Mounts(slash), request_to, "/a")
    assert router is slash
    assert (answer.status, answer.location) == (308, "/a/")


def test_a_redirect_that_was_registered_does_not(request_to) -> None:
    moved, here = table("/a", RedirectHandler("/b")), table("/a", "here")
    assert both(Mounts(moved, here), request_to, "/a")[0] is moved


def test_the_first_answer_counts(request_to) -> None:
    slash, posts = table("/a/", "with"), table("/a", "posted", "POST")
    assert isinstance(both(Mounts(slash, posts), request_to, "/a")[1], RedirectHandler)
    assert isinstance(both(Mounts(posts, slash), request_to, "/a")[1], MethodNotAllowed)


def test_tables_give_way_to_conventions_and_back(program, request_to) -> None:
    users = "class UsersController:\n    def get_all(self): ...\n"
    program({"api/__init__.py": "", "api/users.py": users})
    rest, posts = RESTRouter("/", "api"), table("/users", "posted", "POST")
    mounts = Mounts(rest, posts)
    assert both(mounts, request_to, "/users")[0] is rest
    assert both(mounts, request_to, "/users", "POST") == (posts, "posted")
    assert both(mounts, request_to, "/users", "PUT")[0] is posts


def test_what_is_registered_with_a_convention_gives_way_to_it(program, request_to) -> None:
    users = "class UsersController:\n    def get_all(self): ...\n"
    program({"api/__init__.py": "", "api/users.py": users})
    rest = RESTRouter("/", "api")
    rest.register("/{name}", "posted", methods=["POST"])
    assert rest.route(request_to("/users")).action == "get_all"
    assert rest.route(request_to("/users", "POST")).target == "posted"
    assert rest.route(request_to("/users", "PUT")).allowed == ("POST", "OPTIONS")


def test_files_give_way(program, request_to) -> None:
    folder = program({"files/a.txt": "a", "files/dir/b.txt": "b", "app/__init__.py": ""})
    program({"app/dir.py": "class DirController:\n    def index(self): ...\n"})
    mvc = MVCRouter("/", "app")
    mounts = Mounts(StaticRouter("/", folder / "files", allow_index=True), mvc)
    assert mounts.route(request_to("/dir"))[0] is mvc
    assert mounts.route(request_to("/a.txt", "DELETE"))[1].status == 405


def test_custom_routers_give_way_with_what_they_registered(request_to) -> None:
    class Custom(Router):
        def route(self, req):
            return MethodNotAllowed(["GET"]) if req.path == "/mine" else None

    custom, other = Custom({"/mine/": "x"}), table("/a", "other", "GET")
    custom.register("/a", "posted", methods=["POST"])
    table_ = table("/mine", "other")
    mounts = Mounts(custom, other, table_)
    assert mounts.route(request_to("/a")) == (other, "other")
    assert mounts.route(request_to("/a", "PUT"))[0] is custom
    # What its route() says is what it means.
    assert mounts.route(request_to("/mine"))[0] is custom


def test_longer_mount_points_do_not_give_way(request_to) -> None:
    inner, outer = table("/a", "posted", "POST", mount="/in"), table("/in/a", "outer")
    assert Mounts(inner, outer).route(request_to("/in/a"))[0] is inner


# ---- url_for ------------------------------------------------------------------------------------


def test_names_of_all_routers(program) -> None:
    program({"api/__init__.py": "", "v2/__init__.py": ""})
    users = "class UsersController:\n    def get_one(self, number: int): ...\n"
    program({"api/users.py": users, "v2/users.py": users})
    plain = Router()
    plain.register("/about/{page}", "x", name="about")
    rest = RESTRouter("/api", "api")
    mounts = Mounts(rest, plain)
    assert mounts.url_for("about", page="us", query={"a": 1}) == "/about/us?a=1"
    assert mounts.url_for("users.get_one", number=10) == "/api/users/10"
    with pytest.raises(UnknownRoute, match=r"did you mean 'users\.get_one'"):
        mounts.url_for("users.getone")
    mounts.add(RESTRouter("/v2", "v2"))
    with pytest.raises(UnknownRoute, match=r"RESTRouter at /api> and of <RESTRouter at /v2>"):
        mounts.url_for("users.get_one", number=10)
    assert rest.url_for("users.get_one", number=10) == "/api/users/10"
