"""MVCRouter: the README's table, what a URL must not reach, arguments, conflicts, listings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from guava_router import (
    ControllerImportError,
    Handler,
    HandlerNotFound,
    MVCRouter,
    RouteConflict,
    RouteError,
    resolve,
)

BLOG = {
    "controllers/__init__.py": "",
    "controllers/index.py": """
        class IndexController:
            def index(self): ...
            def about(self): ...
        """,
    "controllers/post.py": """
        class PostController:
            def index(self): ...
            def new(self): ...
            def view(self, post_id): ...
            def move(self, source, target): ...
            async def edit(self, post_id): ...
        """,
}
TABLE = [
    ("/", "index", "IndexController", "index", ()),
    ("/post", "post", "PostController", "index", ()),
    ("/post/new", "post", "PostController", "new", ()),
    ("/post/view/10", "post", "PostController", "view", ("10",)),
    ("/post/move/10/20", "post", "PostController", "move", ("10", "20")),
    ("/post/edit/10", "post", "PostController", "edit", ("10",)),
]


@pytest.mark.parametrize(("path", "module", "controller", "action", "args"), TABLE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_table_of_the_readme(
    program, request_to, path, module, controller, action, args, method
) -> None:
    program(BLOG)
    handler = MVCRouter(mount_point="/", package="controllers").route(request_to(path, method))
    assert handler.package == "controllers"
    assert handler.module == module
    assert handler.controller == handler.cls == controller
    assert handler.action == action
    assert handler.args == args


@pytest.mark.parametrize(("path", "module", "controller", "action", "args"), TABLE)
def test_the_table_without_a_package(
    program, request_to, path, module, controller, action, args
) -> None:
    program({name.removeprefix("controllers/"): text for name, text in BLOG.items()})
    handler = MVCRouter(mount_point="/").route(request_to(path))
    assert handler == Handler(".", module, controller, action, args)
    assert handler.endpoint.target.__name__ == controller


@pytest.mark.parametrize(("path", "module", "controller", "action", "args"), TABLE)
def test_the_table_before_there_is_a_controller(
    program, request_to, path, module, controller, action, args
) -> None:
    program({"readme.txt": ""})
    handler = MVCRouter(mount_point="/").route(request_to(path))
    assert handler == Handler(".", module, controller, action, args)
    with pytest.raises(HandlerNotFound):
        resolve(handler)


def test_controllers_that_come_late(program, request_to) -> None:
    program({"readme.txt": "", "setup.py": "raise SystemExit"})
    router = MVCRouter()
    program({"post.py": BLOG["controllers/post.py"]})
    assert router.route(request_to("/setup")) is None, "a file without a controller"
    handler = router.route(request_to("/post/view/1"))
    assert resolve(handler).target.__name__ == "PostController"
    assert router.route(request_to("/post/view")) is None, "the table holds from now on"
    assert router.route(request_to("/nothing")) is None


@pytest.mark.parametrize("path", ["/post/", "/post/index", "/post/index/"])
def test_other_ways_to_an_index(program, request_to, path: str) -> None:
    program(BLOG)
    router = MVCRouter(package="controllers")
    assert router.route(request_to(path)) == router.route(request_to("/post"))


@pytest.mark.parametrize("path", ["/index", "/index/index", "/index/"])
def test_other_ways_to_the_root(program, request_to, path: str) -> None:
    program(BLOG)
    router = MVCRouter(package="controllers")
    assert router.route(request_to(path)) == router.route(request_to("/"))
    assert router.route(request_to("/index/about")).action == "about"


@pytest.mark.parametrize(
    "path",
    [
        "/post/view",
        "/post/view/10/20",
        "/post/move/10",
        "/post/new/1",
        "/post/1",
        "/1",
        "/post/View/1",
        "/Post",
        "/post//new",
        "//post",
        "/post/view//10",
        "/post/view/10//",
        "/about",
    ],
)
def test_what_is_not_found(program, request_to, path: str) -> None:
    program(BLOG)
    assert MVCRouter(package="controllers").route(request_to(path)) is None


def test_a_mount_point(program, request_to) -> None:
    program(BLOG)
    router = MVCRouter(mount_point="/blog", package="controllers")
    assert router.route(request_to("/blog")).action == "index"
    assert router.route(request_to("/blog/post/view/10")).args == ("10",)
    assert router.route(request_to("/post/view/10")) is None
    assert router.route(request_to("/blogpost")) is None


REACH = {
    "app/__init__.py": "",
    "app/base.py": """
        class Base:
            attribute = 3
            def write(self): ...
            def redirect(self): ...
            def before_action(self): ...
        class BaseController(Base):
            def reached(self): ...
        """,
    "app/post.py": """
        import functools
        from app.base import Base
        from app.index import IndexController
        from os import getcwd

        def decorate(function):
            @functools.wraps(function)
            def inner(*args, **kwargs):
                return function(*args, **kwargs)
            return inner

        class Parent(Base):
            def inherited(self): ...

        class OtherController(Base):
            def other(self): ...

        class PostController(Parent):
            attribute = 4
            text = "x"
            def before_action(self): ...
            def _private(self): ...
            def __dunder__(self): ...
            def view(self, n): ...
            @decorate
            def decorated(self, n): ...
            async def wait(self): ...
            def stream(self): yield 1
            @property
            def prop(self): ...
            @staticmethod
            def static(): ...
            @classmethod
            def klass(cls): ...
            class Inner:
                def __call__(self): ...
            cwd = getcwd
        """,
    "app/index.py": """
        class IndexController:
            def index(self): ...
        """,
    "app/_hidden.py": "class HiddenController:\n    def index(self): ...\n",
    "app/alias.py": "from app.index import IndexController as AliasController\n",
}


def test_only_the_class_and_its_own_public_methods(program, request_to) -> None:
    program(REACH)
    from app.base import Base

    router = MVCRouter(package="app", base=Base)
    reached = sorted(r.target.removeprefix("app.") for r in router.routes())
    assert reached == [
        "base.BaseController.reached",
        "post.PostController.decorated",
        "post.PostController.stream",
        "post.PostController.view",
        "post.PostController.wait",
    ]
    for name in [
        "write",
        "redirect",
        "before_action",
        "inherited",
        "_private",
        "__dunder__",
        "__init__",
        "__class__",
        "prop",
        "static",
        "klass",
        "Inner",
        "cwd",
        "attribute",
        "text",
        "Parent",
        "other",
        "mro",
    ]:
        for path in (f"/post/{name}", f"/post/{name}/1", f"/post/{name.replace('_', '-')}"):
            assert router.route(request_to(path)) is None, path
    for path in (
        "/other",
        "/parent",
        "/functools",
        "/_hidden",
        "/-hidden",
        "/hidden",
        "/alias",
        "/os",
        "/app/post/view/1",
        "/../app/post",
        "/base/write",
        "/__init__",
        "/--init--",
    ):
        assert router.route(request_to(path)) is None, path


def test_a_base_leaves_out_other_classes_and_says_so(program, caplog) -> None:
    program(REACH)
    from app.base import Base

    router = MVCRouter(package="app", base=Base)
    assert not [r for r in router.routes() if "IndexController" in r.target]
    assert "app.index.IndexController" in caplog.text
    assert "does not derive from app.base.Base" in caplog.text


def test_arguments_are_counted_from_the_signature(program, request_to) -> None:
    program(
        {
            "args/__init__.py": "",
            "args/post.py": """
                class PostController:
                    def index(self, page="1"): ...
                    def two(self, a, b="2"): ...
                    def any(self, *args): ...
                    def many(self, a, *args): ...
                    def keyword(self, a, *, b=1): ...
                    def positional(self, a, /): ...
                    def loose(*args): ...
                """,
        }
    )
    router = MVCRouter(package="args")

    def counts(action: str) -> list[int]:
        paths = [f"/post/{action}" + "/x" * n for n in range(5)]
        return [n for n, path in enumerate(paths) if router.route(request_to(path)) is not None]

    assert counts("index") == [0, 1]
    assert counts("two") == [1, 2]
    assert counts("any") == [0, 1, 2, 3, 4]
    assert counts("many") == [1, 2, 3, 4]
    assert counts("keyword") == [1]
    assert counts("positional") == [1]
    assert counts("loose") == [0, 1, 2, 3, 4]
    assert router.route(request_to("/post/7")) is None
    endpoint = router.route(request_to("/post/two/1")).endpoint
    assert (endpoint.min_args, endpoint.max_args) == (1, 2)
    assert router.route(request_to("/post/any")).endpoint.max_args is None


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("def show(): ...", "takes no self"),
        ("def show(self, *, page): ...", "needs the keyword argument page"),
        ("def show(*, page): ...", "takes no self"),
    ],
)
def test_an_action_that_no_url_can_call(program, action: str, message: str) -> None:
    program({"bad/__init__.py": "", "bad/post.py": f"class PostController:\n    {action}\n"})
    with pytest.raises(
        RouteError, match=rf"post\.py:2: bad\.post\.PostController\.show.*{message}"
    ):
        MVCRouter(package="bad")


def test_dashes_stand_for_underscores(program, request_to) -> None:
    program(
        {
            "shop/__init__.py": "",
            "shop/blog_post.py": """
                class BlogPostController:
                    def index(self): ...
                    def top_ten(self): ...
                """,
        }
    )
    router = MVCRouter(package="shop")
    for path in ("/blog-post/top-ten", "/blog_post/top_ten", "/blog-post/top_ten/"):
        assert router.route(request_to(path)).action == "top_ten", path
    assert [r.pattern for r in router.routes()] == ["/blog-post", "/blog-post/top-ten"]


def test_packages_inside_packages(program, request_to) -> None:
    program(
        {
            **BLOG,
            "controllers/admin/__init__.py": "",
            "controllers/admin/index.py": BLOG["controllers/index.py"],
            "controllers/admin/post.py": BLOG["controllers/post.py"],
        }
    )
    router = MVCRouter(package="controllers")
    handler = router.route(request_to("/admin/post/view/10"))
    assert handler == Handler("controllers.admin", "post", "PostController", "view", ("10",))
    assert handler.endpoint.target.__module__ == "controllers.admin.post"
    assert router.route(request_to("/admin")).package == "controllers.admin"
    assert router.route(request_to("/admin/")).action == "index"
    router.exclude("controllers.admin")
    assert router.route(request_to("/admin")) is None
    assert router.route(request_to("/post")) is not None


def test_two_actions_for_one_url_name_both(program) -> None:
    program(
        {
            "twice/__init__.py": "",
            "twice/admin/__init__.py": "class AdminController:\n    def index(self): ...\n",
            "twice/admin/index.py": "class IndexController:\n    def index(self): ...\n",
        }
    )
    with pytest.raises(RouteConflict) as caught:
        MVCRouter(package="twice", mount_point="/m")
    message = str(caught.value)
    assert "two actions for /m/admin:" in message
    assert os.path.join("admin", "__init__.py:2") in message
    assert os.path.join("admin", "index.py:2") in message


def test_a_package_that_hides_a_module(program) -> None:
    program({"hides/__init__.py": "", "hides/users.py": "", "hides/users/__init__.py": ""})
    with pytest.raises(RouteConflict, match=r"users.__init__\.py hides .*users\.py"):
        MVCRouter(package="hides")


def test_a_pattern_beside_the_convention(program, request_to) -> None:
    program(BLOG)
    router = MVCRouter(package="controllers")
    router.register("/feed.xml", len)
    assert router.route(request_to("/feed.xml")) is len
    assert router.route(request_to("/post")) is not None
    with pytest.raises(RouteConflict, match=r"'/post/new' is taken by .*PostController\.new"):
        router.register("/post/new", len)


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such"),
        ("x = (", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_module_that_fails_to_import(program, source: str, cause: str) -> None:
    program({"fails/__init__.py": "", "fails/post.py": f"\n{source}\n"})
    with pytest.raises(ControllerImportError) as caught:
        MVCRouter(package="fails")
    message = str(caught.value)
    assert "fails.post (" in message
    assert f"{os.sep}post.py" in message
    assert cause in message
    assert type(caught.value.__cause__).__name__ == cause.partition(":")[0]
    if "Zero" in cause:
        assert "post.py:2)" in message


def test_a_package_that_fails_to_import(program) -> None:
    program({"fails/__init__.py": "raise RuntimeError('no')"})
    with pytest.raises(ControllerImportError, match=r"RuntimeError: no \(at .*__init__\.py:1\)"):
        MVCRouter(package="fails")


def test_packages_that_are_none(program) -> None:
    program({"module_only.py": ""})
    with pytest.raises(ControllerImportError, match="there is no package 'no_such_package'"):
        MVCRouter(package="no_such_package")
    with pytest.raises(RouteError, match="is a module, not a package"):
        MVCRouter(package="module_only")
    for name in ("", "..", ".controllers", "a b", "a/b", "../a"):
        with pytest.raises(RouteError, match=r"a package is '\.' or a dotted name"):
            MVCRouter(package=name)
    with pytest.raises(TypeError, match="package must be a str"):
        MVCRouter(package=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="base must be a class"):
        MVCRouter(base="Controller")  # type: ignore[arg-type]


def test_the_programs_folder_is_read_before_it_is_run(program, request_to) -> None:
    program(
        {
            "post.py": BLOG["controllers/post.py"],
            "setup.py": "raise SystemExit('setup was executed')",
            "broken.py": "class BrokenController(:",
            "talk.py": "raise SystemExit  # TalkController",
            "_secret.py": "class SecretController:\n    def index(self): ...",
        }
    )
    router = MVCRouter()
    assert {r.handler.module for r in router.routes()} == {"post"}
    assert router.route(request_to("/setup")) is None


def test_a_file_whose_name_is_taken(program) -> None:
    file = program({"json.py": "class JsonController:\n    def index(self): ...\n"}) / "json.py"
    import json

    with pytest.raises(RouteError) as caught:
        MVCRouter()
    assert str(file) in str(caught.value)
    assert str(json.__file__) in str(caught.value)


def test_the_current_directory_is_searched_too(program, monkeypatch, request_to) -> None:
    folder = program({"elsewhere/blog_app/__init__.py": "", "first/x.txt": ""})
    elsewhere = folder / "elsewhere"
    (elsewhere / "blog_app" / "post.py").write_text("class PostController:\n def index(self): 0\n")
    (elsewhere / "note.py").write_text("class NoteController:\n def index(self): 0\n")
    monkeypatch.syspath_prepend(str(folder / "first"))
    monkeypatch.chdir(elsewhere)
    assert MVCRouter().route(request_to("/note")).module == "note"
    assert MVCRouter(package="blog_app").route(request_to("/post")).module == "post"


def test_one_file_programs_are_not_run_twice(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text(
        "from guava_router import MVCRouter\n"
        "print('run')\n"
        "class IndexController:\n"
        "    def index(self): return 'hello'\n"
        "class R: method, path = 'GET', '/'\n"
        "handler = MVCRouter().route(R)\n"
        "assert handler.endpoint.target is IndexController\n"
        "print(handler.endpoint.target().index())\n"
    )
    done = subprocess.run(
        [sys.executable, "index.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.split(), done.stderr) == (["run", "hello"], "")


def test_endpoints_know_the_class_the_function_and_the_place(program, request_to) -> None:
    folder = program(BLOG)
    endpoint = MVCRouter(package="controllers").route(request_to("/post/view/10")).endpoint
    assert endpoint.target.__qualname__ == "PostController"
    assert endpoint.function is endpoint.target.view
    assert endpoint.file == str(folder / "controllers" / "post.py")
    assert endpoint.line == 5


def test_requests_share_the_endpoint(program, request_to) -> None:
    program(BLOG)
    router = MVCRouter(package="controllers")
    one, two = (router.route(request_to(f"/post/view/{n}")) for n in (1, 2))
    assert one.endpoint is two.endpoint
    assert router.route(request_to("/post")) is router.route(request_to("/post/"))


def test_the_listing(program) -> None:
    folder = program(BLOG)
    routes = MVCRouter(mount_point="/blog", package="controllers").routes()
    assert [r.pattern for r in routes] == [
        "/blog/",
        "/blog/index/about",
        "/blog/post",
        "/blog/post/new",
        "/blog/post/view/{post_id}",
        "/blog/post/move/{source}/{target}",
        "/blog/post/edit/{post_id}",
    ]
    assert routes[4].where == f"{folder / 'controllers' / 'post.py'}:5"
    assert "controllers.post.PostController.view" in str(routes).splitlines()[4]
