"""RESTRouter: the README's table, HEAD, OPTIONS, 405, resources of resources, what is refused."""

import pytest
from guava_router import (
    AllowedMethods,
    Handler,
    HandlerNotFound,
    MethodNotAllowed,
    RESTRouter,
    RouteConflict,
    RouteError,
    resolve,
)

USERS = """
    class UsersController:
        def get_all(self): ...
        def get_one(self, user_id): ...
        def delete_one(self, user_id): ...
        def create_one(self): ...
        def update_one(self, user_id): ...
        def helper(self): ...
    """
FRIENDS = """
    class FriendsController:
        def get_all(self, user_id): ...
        def get_one(self, user_id, friend_id): ...
        def create_one(self, user_id): ...
    """
API = {"controllers/__init__.py": "", "controllers/users.py": USERS}
NESTED = {
    "api/__init__.py": "",
    "api/users/__init__.py": USERS,
    "api/users/friends.py": FRIENDS,
}
TABLE = [
    ("GET", "/users", "get_all", ()),
    ("GET", "/users/", "get_all", ()),
    ("GET", "/users/10", "get_one", ("10",)),
    ("DELETE", "/users/10", "delete_one", ("10",)),
    ("POST", "/users", "create_one", ()),
    ("POST", "/users/", "create_one", ()),
    ("PUT", "/users/10", "update_one", ("10",)),
]


@pytest.mark.parametrize(("method", "path", "action", "args"), TABLE)
def test_the_table_of_the_readme(program, request_to, method, path, action, args) -> None:
    program(API)
    handler = RESTRouter(mount_point="/", package="controllers").route(request_to(path, method))
    assert handler.package == "controllers"
    assert handler.module == "users"
    assert handler.controller == handler.cls == "UsersController"
    assert handler.action == action
    assert handler.args == args


@pytest.mark.parametrize(("method", "path", "action", "args"), TABLE)
def test_the_table_without_a_package(program, request_to, method, path, action, args) -> None:
    program({"users.py": USERS})
    handler = RESTRouter().route(request_to(path, method))
    assert handler == Handler(".", "users", "UsersController", action, args)
    assert resolve(handler).target.__name__ == "UsersController"


@pytest.mark.parametrize(("method", "path", "action", "args"), TABLE)
def test_the_table_before_there_is_a_controller(
    program, request_to, method, path, action, args
) -> None:
    program({"readme.txt": ""})
    handler = RESTRouter().route(request_to(path, method))
    assert handler == Handler(".", "users", "UsersController", action, args)
    with pytest.raises(HandlerNotFound):
        resolve(handler)


def test_names_that_the_convention_cannot_mean(program, request_to) -> None:
    program({"readme.txt": ""})
    router = RESTRouter()
    for method, path in [
        ("GET", "/"),
        ("GET", "/_users"),
        ("GET", "/users/1/friends"),
        ("TRACE", "/users"),
        ("PUT", "/users"),
        ("GET", "/users//"),
        ("GET", "/a.b"),
    ]:
        assert router.route(request_to(path, method)) is None, (method, path)
    assert router.route(request_to("/users", "HEAD")).action == "get_all"


@pytest.mark.parametrize(("path", "action"), [("/users", "get_all"), ("/users/10", "get_one")])
def test_head_is_answered_by_get(program, request_to, path: str, action: str) -> None:
    program(API)
    assert RESTRouter(package="controllers").route(request_to(path, "HEAD")).action == action


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/users", ("GET", "HEAD", "POST", "OPTIONS")),
        ("/users/10", ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")),
    ],
)
def test_options_and_405(program, request_to, path: str, allowed: tuple[str, ...]) -> None:
    program(API)
    router = RESTRouter(package="controllers")
    options = router.route(request_to(path, "OPTIONS"))
    assert isinstance(options, AllowedMethods)
    assert (options.status, options.body) == (204, b"")
    assert options.header("Allow") == ", ".join(allowed)
    for method in ("PATCH", "TRACE", "get", "BREW"):
        answer = router.route(request_to(path, method))
        assert isinstance(answer, MethodNotAllowed), method
        assert answer.status == 405
        assert answer.allowed == allowed
        assert answer.header("allow") == ", ".join(allowed)


def test_without_get_there_is_no_head(program, request_to) -> None:
    program(
        {
            "write/__init__.py": "",
            "write/logs.py": "class LogsController:\n    def create_one(self): ...\n",
        }
    )
    router = RESTRouter(package="write")
    assert router.route(request_to("/logs", "GET")).allowed == ("POST", "OPTIONS")
    assert router.route(request_to("/logs", "HEAD")).allowed == ("POST", "OPTIONS")
    assert router.route(request_to("/logs/1", "GET")) is None


def test_patch_and_actions_of_another_name(program, request_to) -> None:
    program(
        {
            "patch/__init__.py": "",
            "patch/notes.py": """
                class NotesController:
                    async def patch_one(self, note_id): ...
                    def search(self): ...
                """,
        }
    )
    router = RESTRouter(package="patch")
    assert router.route(request_to("/notes/3", "PATCH")).action == "patch_one"
    assert router.route(request_to("/notes/search", "GET")).allowed == ("PATCH", "OPTIONS")
    assert router.route(request_to("/notes")) is None


@pytest.mark.parametrize(
    "path", ["/", "/user", "/users/1/2", "/users//1", "/users/1//", "//users"]
)
def test_what_is_not_found(program, request_to, path: str) -> None:
    program(API)
    router = RESTRouter(package="controllers")
    for method in ("GET", "OPTIONS", "BREW"):
        assert router.route(request_to(path, method)) is None


def test_resources_of_resources(program, request_to) -> None:
    program(NESTED)
    router = RESTRouter(mount_point="/api", package="api")

    def found(method: str, path: str) -> tuple[str, str, tuple[str, ...]]:
        handler = router.route(request_to(path, method))
        return f"{handler.package}.{handler.module}", handler.action, handler.args

    assert found("GET", "/api/users") == ("api.users", "get_all", ())
    assert found("GET", "/api/users/10") == ("api.users", "get_one", ("10",))
    assert found("GET", "/api/users/10/friends/") == ("api.users.friends", "get_all", ("10",))
    assert found("POST", "/api/users/10/friends") == ("api.users.friends", "create_one", ("10",))
    assert found("GET", "/api/users/10/friends/3") == (
        "api.users.friends",
        "get_one",
        ("10", "3"),
    )
    assert router.route(request_to("/api/users/10/enemies")) is None
    assert router.route(request_to("/api/users/10/friends/3", "PUT")).allowed == (
        "GET",
        "HEAD",
        "OPTIONS",
    )


def test_a_package_without_a_controller_is_only_a_folder(program, request_to) -> None:
    program(
        {
            "versions/__init__.py": "",
            "versions/v1/__init__.py": "",
            "versions/v1/users.py": USERS,
        }
    )
    router = RESTRouter(package="versions")
    assert router.route(request_to("/v1/users/7")).args == ("7",)
    assert router.route(request_to("/v1/users")).package == "versions.v1"
    assert router.route(request_to("/v1")) is None


def test_the_listing(program) -> None:
    program(NESTED)
    routes = RESTRouter(mount_point="/api", package="api").routes()
    assert [(r.method, r.pattern) for r in routes] == [
        ("GET", "/api/users"),
        ("POST", "/api/users"),
        ("GET", "/api/users/{user_id}"),
        ("PUT", "/api/users/{user_id}"),
        ("DELETE", "/api/users/{user_id}"),
        ("GET", "/api/users/{user_id}/friends"),
        ("POST", "/api/users/{user_id}/friends"),
        ("GET", "/api/users/{user_id}/friends/{friend_id}"),
    ]
    assert "api.users.friends.FriendsController.get_one" in str(routes)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("def get_all(self, page): ...", "must take 0 arguments after self, but takes 1"),
        ("def get_one(self): ...", "must take 1 arguments after self, but takes 0"),
        ("def get_one(self, a, b, *rest): ...", "must take 1 .* but takes at least 2"),
    ],
)
def test_an_action_that_its_url_cannot_call(program, action: str, message: str) -> None:
    program({"wrong/__init__.py": "", "wrong/users.py": f"class UsersController:\n    {action}\n"})
    with pytest.raises(RouteError, match=rf"users\.py:2: .*{message}"):
        RESTRouter(package="wrong")


def test_optional_arguments_are_fine(program, request_to) -> None:
    program(
        {
            "loose/__init__.py": "",
            "loose/users.py": """
                class UsersController:
                    def get_all(self, page="1"): ...
                    def get_one(self, *ids): ...
                """,
        }
    )
    assert RESTRouter(package="loose").route(request_to("/users/5")).args == ("5",)


def test_only_subclasses_of_the_base(program, request_to) -> None:
    program(
        {
            "based/__init__.py": "",
            "based/base.py": "class Base:\n    def get_all(self): ...\n",
            "based/users.py": """
                from based.base import Base
                class UsersController(Base):
                    def get_all(self): ...
                    def get_one(self, n): ...
                """,
            "based/teams.py": "class TeamsController:\n    def get_all(self): ...\n",
        }
    )
    from based.base import Base

    router = RESTRouter(package="based", base=Base)
    assert router.route(request_to("/users/1")).action == "get_one"
    assert router.route(request_to("/users")) is None, "the base has a method of this name"
    assert router.route(request_to("/teams")) is None


def test_a_pattern_that_a_resource_has(program) -> None:
    program(API)
    router = RESTRouter(package="controllers")
    with pytest.raises(RouteConflict, match="'/users/' is taken by"):
        router.register("/users/", len)
