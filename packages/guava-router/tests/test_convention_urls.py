"""match() and url_for() of conventions, and the names of actions."""

import uuid

import pytest
from guava_router import (
    AllowedMethods,
    MethodNotAllowed,
    MVCRouter,
    NotFound,
    RESTRouter,
    RouteConflict,
    UnknownRoute,
    member,
)

UUID = "12345678-1234-5678-1234-567812345678"
SITE = {
    "blog/__init__.py": "",
    "blog/index.py": """
        class IndexController:
            def index(self): ...
        """,
    "blog/post.py": """
        import datetime

        class PostController:
            def index(self, page: int = 1): ...
            def view(self, number: int): ...
            def day(self, day: datetime.date, part="all"): ...
            def tagged(self, first, *others: int): ...
        """,
    "blog/admin/__init__.py": "",
    "blog/admin/blog_post.py": """
        class BlogPostController:
            def top_ten(self): ...
        """,
}
API = {
    "api/__init__.py": "",
    "api/users/__init__.py": """
        from guava_router import collection, member

        class UsersController:
            def get_all(self): ...
            def create_one(self): ...
            def get_one(self, user_id: int): ...

            @collection
            def search(self, term=None): ...

            @member(methods=["GET", "PUT"], name="profile-picture")
            def avatar(self, user_id: int): ...
        """,
    "api/users/friends.py": """
        import uuid

        class FriendsController:
            def get_one(self, user_id: int, friend: uuid.UUID): ...
        """,
}


@pytest.fixture
def site(program) -> MVCRouter:
    program(SITE)
    return MVCRouter("/", "blog")


@pytest.fixture
def api(program) -> RESTRouter:
    program(API)
    return RESTRouter("/api", "api")


ADDRESSES = [
    ("index.index", {}, "/", "/"),
    ("post.index", {}, "/post", "/post"),
    ("post.index", {"page": 2}, "/post/index/2", "/post/index/{page:int?}"),
    ("post.view", {"number": 10}, "/post/view/10", "/post/view/{number:int}"),
    ("post.tagged", {"first": "a"}, "/post/tagged/a", "/post/tagged/{first}/{others:int...}"),
    (
        "post.tagged",
        {"first": "é", "others": (1, 2)},
        "/post/tagged/%C3%A9/1/2",
        "/post/tagged/{first}/{others:int...}",
    ),
    ("admin.blog_post.top_ten", {}, "/admin/blog-post/top-ten", "/admin/blog-post/top-ten"),
]


@pytest.mark.parametrize(("name", "params", "url", "pattern"), ADDRESSES)
def test_there_and_back(site, name, params, url, pattern) -> None:
    assert site.url_for(name, **params) == url
    found = site.match("GET", url.replace("%C3%A9", "é"))
    assert (found.name, found.pattern) == (name, pattern)
    assert found.params == ({"others": (), **params} if name == "post.tagged" else params)
    assert found.target.action == name.rpartition(".")[2]
    assert found.route in site.routes()


def test_resources_there_and_back(api) -> None:
    for name, method, params, url in [
        ("users.get_all", "GET", {}, "/api/users"),
        ("users.create_one", "POST", {}, "/api/users"),
        ("users.get_one", "GET", {"user_id": 10}, "/api/users/10"),
        ("users.search", "GET", {}, "/api/users/search"),
        ("users.search", "GET", {"term": "a b"}, "/api/users/search/a%20b"),
        ("users.avatar", "GET", {"user_id": 10}, "/api/users/10/profile-picture"),
        ("users.avatar", "PUT", {"user_id": 10}, "/api/users/10/profile-picture"),
        (
            "users.friends.get_one",
            "GET",
            {"user_id": 10, "friend": uuid.UUID(UUID)},
            f"/api/users/10/friends/{UUID}",
        ),
    ]:
        assert api.url_for(name, **params) == url
        found = api.match(method, url.replace("%20", " "))
        assert (found.name, found.params) == (name, params)
        assert found.pattern.startswith("/api/users")


def test_head_is_the_route_of_get(api) -> None:
    found = api.match("HEAD", "/api/users/10")
    assert (found.name, found.route.method) == ("users.get_one", "GET")


def test_match_says_what_there_is_instead(api, site) -> None:
    assert isinstance(site.match("GET", "/post/view/x"), NotFound)
    assert isinstance(site.match("GET", "/nothing"), NotFound)
    assert isinstance(api.match("GET", "/elsewhere"), NotFound)
    answer = api.match("DELETE", "/api/users/10")
    assert isinstance(answer, MethodNotAllowed)
    assert answer.allowed == ("GET", "HEAD", "OPTIONS")
    assert isinstance(api.match("OPTIONS", "/api/users/10"), AllowedMethods)
    assert isinstance(api.match("DELETE", "/api/users/ten"), NotFound)


def test_match_before_there_is_a_controller(program) -> None:
    program({"readme.txt": ""})
    assert isinstance(MVCRouter().match("GET", "/post/view"), NotFound)


def test_the_mount_point_and_the_query(program) -> None:
    program(SITE)
    site = MVCRouter("/b l\u00f6g", "blog")
    assert site.url_for("post.view", number=1) == "/b%20l%C3%B6g/post/view/1"
    url = site.url_for("post.view", number=1, query={"a": "1 2", "b": ["x", "y"]})
    assert url == "/b%20l%C3%B6g/post/view/1?a=1+2&b=x&b=y"


@pytest.mark.parametrize(
    ("name", "params", "error", "says"),
    [
        ("post.vew", {}, UnknownRoute, "did you mean 'post.view'"),
        ("post.view", {}, TypeError, "'number' is missing"),
        ("post.view", {"id": 1}, TypeError, "'number' is missing"),
        ("post.view", {"number": 1, "id": 1}, TypeError, "no parameter 'id'"),
        ("post.view", {"number": "ten"}, TypeError, "'number': an int"),
        ("post.day", {"part": "am"}, TypeError, "'day' is missing"),
        ("post.tagged", {"others": [1]}, TypeError, "'first' is missing"),
        ("post.tagged", {"first": "a", "others": "12"}, TypeError, "'others': a list"),
        ("post.tagged", {"first": "a", "others": 1}, TypeError, "'others': a list"),
        ("post.tagged", {"first": "a", "others": ["x"]}, TypeError, "'others': an int"),
        ("post.tagged", {"first": "a/b"}, ValueError, "slash"),
        ("post.tagged", {"first": ""}, ValueError, "text"),
        ("post.tagged", {"first": ".."}, ValueError, "dot segments"),
    ],
)
def test_what_has_no_address(site, name, params, error, says) -> None:
    with pytest.raises(error, match=says):
        site.url_for(name, **params)


def test_what_is_registered_beside_a_convention(site) -> None:
    site.register("/about/{page}", "the target", name="about")
    assert site.url_for("about", page="us") == "/about/us"
    assert site.match("GET", "/about/us").params == {"page": "us"}
    assert site.match("GET", "/post/view/10").name == "post.view"
    with pytest.raises(RouteConflict, match=r"post\.view.*post\.py:6"):
        site.register("/other", "x", name="post.view")
    with pytest.raises(UnknownRoute, match="did you mean 'about'"):
        site.url_for("abut")


def test_listings_have_the_names(api) -> None:
    assert [(r.method, r.methods, r.name, r.pattern) for r in api.routes()] == [
        ("GET", ("GET",), "users.get_all", "/api/users"),
        ("POST", ("POST",), "users.create_one", "/api/users"),
        ("GET", ("GET",), "users.get_one", "/api/users/{user_id:int}"),
        ("GET", ("GET",), "users.search", "/api/users/search/{term?}"),
        ("GET", ("GET",), "users.avatar", "/api/users/{user_id:int}/profile-picture"),
        ("PUT", ("PUT",), "users.avatar", "/api/users/{user_id:int}/profile-picture"),
        (
            "GET",
            ("GET",),
            "users.friends.get_one",
            "/api/users/{user_id:int}/friends/{friend:uuid}",
        ),
    ]


def test_a_decorated_method_stays_what_it_is() -> None:
    @member(methods=["PUT"])
    def avatar(self: object, user_id: int) -> int:
        return user_id

    assert avatar(None, 3) == 3
