"""RESTRouter beyond the table: collection and member actions, resources without ids, versions."""

import pytest
from guava_router import (
    Mounts,
    RESTRouter,
    RouteConflict,
    RouteError,
    collection,
    member,
)

USERS = """
    from guava_router import collection, member

    class UsersController:
        def get_all(self): ...
        def get_one(self, user_id): ...
        def delete_one(self, user_id): ...

        @collection
        def search(self): ...

        @collection(methods=["POST"], name="import")
        def import_all(self, kind): ...

        @member
        def avatar(self, user_id): ...

        @member(methods=["PUT", "DELETE"], name="avatar")
        def change_avatar(self, user_id): ...

        @member
        def log_entries(self, user_id, year, month=None): ...
    """


@pytest.fixture
def api(program) -> RESTRouter:
    program({"api/__init__.py": "", "api/users.py": USERS})
    return RESTRouter("/", "api")


def resources(program, source: str, **more: str) -> RESTRouter:
    """A package with users.py, and further modules."""
    files = {f"app/{name}.py": text for name, text in more.items()}
    program({"app/__init__.py": "", "app/users.py": source, **files})
    return RESTRouter("/", "app")


@pytest.mark.parametrize(
    ("method", "path", "action", "args"),
    [
        ("GET", "/users/search", "search", ()),
        ("HEAD", "/users/search", "search", ()),
        ("GET", "/users/search/", "search", ()),
        ("GET", "/users/searches", "get_one", ("searches",)),
        ("POST", "/users/import/csv", "import_all", ("csv",)),
        ("GET", "/users/10/avatar", "avatar", ("10",)),
        ("PUT", "/users/10/avatar", "change_avatar", ("10",)),
        ("DELETE", "/users/10/avatar", "change_avatar", ("10",)),
        ("GET", "/users/search/avatar", "avatar", ("search",)),
        ("GET", "/users/10/log-entries/2024", "log_entries", ("10", "2024")),
        ("GET", "/users/10/log-entries/2024/2", "log_entries", ("10", "2024", "2")),
        ("GET", "/users/10/log_entries/2024", "log_entries", ("10", "2024")),
    ],
)
def test_what_is_beside_the_table(api, request_to, method, path, action, args) -> None:
    handler = api.route(request_to(path, method))
    assert (handler.action, handler.args) == (action, args)


@pytest.mark.parametrize(
    "path",
    [
        "/users/10/log-entries",
        "/users/10/log-entries/1/2/3",
        "/users/10/nothing",
        "/users/import/csv/x",
        "/users/import-all/csv",
        "/users/10/change-avatar",
    ],
)
def test_what_there_is_not(api, request_to, path) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        assert api.route(request_to(path, method)) is None


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/users/search", ("GET", "HEAD", "OPTIONS")),
        ("/users/import/csv", ("POST", "OPTIONS")),
        ("/users/10/avatar", ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")),
        ("/users/10/log-entries/2024/2", ("GET", "HEAD", "OPTIONS")),
    ],
)
def test_other_methods(api, request_to, path, allowed) -> None:
    assert api.route(request_to(path, "PATCH")).allowed == allowed
    assert api.route(request_to(path, "OPTIONS")).allowed == allowed


def test_a_static_name_beats_an_id_by_all_methods(api, request_to) -> None:
    assert api.route(request_to("/users/search", "DELETE")).status == 405


# ---- without ids --------------------------------------------------------------------------------

PROFILE = """
    from guava_router import member

    class ProfileController:
        singular = True

        def get_one(self): ...
        def update_one(self): ...
        def create_one(self): ...

        @member
        def picture(self, size: int = 100): ...
    """


def test_a_resource_without_ids(program, request_to) -> None:
    pages = """
        class PagesController:
            def get_all(self): ...
            def get_one(self, page): ...
        """
    program(
        {
            "app/__init__.py": "",
            "app/profile/__init__.py": PROFILE,
            "app/profile/pages.py": pages,
        }
    )
    router = RESTRouter("/", "app")
    for method, path, action, args in [
        ("GET", "/profile", "get_one", ()),
        ("GET", "/profile/", "get_one", ()),
        ("PUT", "/profile", "update_one", ()),
        ("POST", "/profile", "create_one", ()),
        ("GET", "/profile/picture", "picture", ()),
        ("GET", "/profile/picture/20", "picture", (20,)),
        ("GET", "/profile/pages", "get_all", ()),
        ("GET", "/profile/pages/3", "get_one", ("3",)),
    ]:
        handler = router.route(request_to(path, method))
        assert (handler.action, handler.args) == (action, args)
    assert router.route(request_to("/profile/10")) is None
    assert router.route(request_to("/profile", "DELETE")).allowed == (
        "GET",
        "HEAD",
        "PUT",
        "POST",
        "OPTIONS",
    )
    assert router.url_for("profile.get_one") == "/profile"
    assert router.url_for("profile.pages.get_one", page="3") == "/profile/pages/3"


def test_a_resource_without_ids_of_one_with_ids(program, request_to) -> None:
    settings = """
        class SettingsController:
            singular = True
            def get_one(self, user_id): ...
        """
    program({"app/__init__.py": "", "app/users/__init__.py": USERS})
    program({"app/users/settings.py": settings})
    handler = RESTRouter("/", "app").route(request_to("/users/10/settings"))
    assert (handler.controller, handler.args) == ("SettingsController", ("10",))


def test_singular_must_say_true(program, request_to) -> None:
    source = USERS.replace("def get_all", "singular = False\n        def get_all")
    assert resources(program, source).route(request_to("/users/10")).action == "get_one"


# ---- versions -----------------------------------------------------------------------------------


def test_versions_by_mount_point(program, request_to) -> None:
    older = "class UsersController:\n    def get_one(self, number: int): ...\n"
    program(
        {
            "app/__init__.py": "",
            "app/v1/__init__.py": "",
            "app/v1/users.py": older,
            "app/v2/__init__.py": "",
            "app/v2/users.py": USERS,
        }
    )
    mounts = Mounts(RESTRouter("/v1", "app.v1"), RESTRouter("/v2", "app.v2"))
    assert mounts.route(request_to("/v1/users/10"))[1].args == (10,)
    assert mounts.route(request_to("/v2/users/10"))[1].args == ("10",)
    assert mounts.route(request_to("/v1/users/10/avatar")) is None
    assert mounts.route(request_to("/v2/users/10/avatar"))[1].action == "avatar"


# ---- what is refused ----------------------------------------------------------------------------

HEAD = "from guava_router import collection, member\nclass UsersController:\n"
ONE = "    def get_one(self, n): ...\n"


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (ONE + "    @member\n    def avatar(self): ...\n", RouteError, "avatar must take 1 arg"),
        (
            "    @member\n    def get_one(self, n): ...\n",
            RouteError,
            r"users\.py:3: .*get_one has its address by its name",
        ),
        (
            "    @member\n    def a(self, n): ...\n"
            "    @member(name='a')\n    def b(self, n): ...\n",
            RouteConflict,
            r"users\.py:3: .*\.a and .*users\.py:5: .*\.b",
        ),
        (
            "    @member\n    def a(self, n): ...\n"
            "    @member(name='a', methods=['PUT'])\n    def b(self, n, m): ...\n",
            RouteError,
            "b has the address of .*a, so it must take as many",
        ),
        (
            "    singular = True\n    def get_all(self): ...\n",
            RouteError,
            "is singular, so it has no collection; rename it get_one",
        ),
        (
            "    singular = True\n    @collection\n    def search(self): ...\n",
            RouteError,
            "no collection; mark the action with @member",
        ),
        ("    singular = True\n    def get_one(self, n): ...\n", RouteError, "must take 0 arg"),
    ],
)
def test_what_is_refused_at_start(program, body, error, says) -> None:
    with pytest.raises(error, match=says):
        resources(program, HEAD + body)


def test_a_member_action_and_a_resource_of_one_name(program) -> None:
    friends = "class FriendsController:\n    def get_all(self, n): ...\n"
    users = HEAD + ONE + "    @member\n    def friends(self, n): ...\n"
    program({"app/__init__.py": "", "app/users/__init__.py": users})
    program({"app/users/friends.py": friends})
    with pytest.raises(
        RouteConflict, match=r"UsersController\.friends .*FriendsController\.get_all"
    ):
        RESTRouter("/", "app")


@pytest.mark.parametrize("decorator", [collection, member])
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"methods": "GET"}, TypeError),
        ({"methods": [1]}, TypeError),
        ({"methods": 1}, TypeError),
        ({"methods": []}, RouteError),
        ({"methods": ["get"]}, RouteError),
        ({"methods": ["GET", "GET"]}, RouteError),
        ({"methods": ["G T"]}, RouteError),
        ({"name": 1}, TypeError),
        ({"name": ""}, RouteError),
        ({"name": ".."}, RouteError),
        ({"name": "a/b"}, RouteError),
        ({"name": "a?"}, RouteError),
        ({"name": "a\n"}, RouteError),
    ],
)
def test_what_a_decorator_refuses(decorator, options, error) -> None:
    with pytest.raises(error):
        decorator(**options)


def test_a_decorator_is_for_functions_and_for_one_place() -> None:
    with pytest.raises(TypeError, match="not for 'x'"):
        member("x")
    with pytest.raises(RouteError, match="already"):
        member(collection(lambda self: None))
