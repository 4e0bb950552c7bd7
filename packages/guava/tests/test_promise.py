"""The snippets of Guava's first README, as today's programs write them."""

from collections.abc import Callable
from pathlib import Path

import guava
import pytest

MISC = """
class MiscController(Controller):
    def about(self):
        self.write("about")

    def hello(self):
        return "hello"
"""
ME = """
class MeController(Controller):
    def show(self):
        return f"this is {self.GET['name']}"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Modules at the top level of the program: package '.'."""
    import sys

    (tmp_path / "misc.py").write_text("from guava.controller import Controller\n" + MISC)
    (tmp_path / "me.py").write_text("from guava.controller import Controller\n" + ME)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("misc", "me", "plain"):
        sys.modules.pop(name, None)


def test_a_custom_router(here, run: Callable) -> None:
    custom_router = guava.router.Router({
        "/about": guava.handler.Handler(
            package=".", module="misc", controller="MiscController", action="about"
        )
    })  # fmt: skip
    server = guava.server.Server(port=0)
    server.add_router(custom_router)
    client = run(server)
    assert client.ask("/about").text == "about"
    assert client.ask("/hello").status == 404


class MySpecialRouter(guava.router.Router):
    # As it was written in 2014, without a call of the base's __init__.
    def __init__(self):
        self.register(
            "/hello",
            guava.handler.Handler(
                package=".", module="misc", controller="MiscController", action="hello"
            ),
        )

    def route(self, req):
        if req.path == "/me" and req.GET["name"] == "rock":
            return guava.handler.Handler(
                package=".", module="me", controller="MeController", action="show"
            )
        return None


def test_a_router_of_ones_own(here, run: Callable) -> None:
    server = guava.server.Server(port=0)
    server.add_router(guava.router.Router({"/me": lambda req: "the table"}), MySpecialRouter())
    client = run(server)
    assert client.ask("/me?name=rock").text == "this is rock"
    assert client.ask("/me?name=roll").text == "the table"
    # What it registered counts too, though its `route` does not ask for it.
    assert client.ask("/hello").text == "hello"


def test_the_older_spelling_of_a_handler() -> None:
    handler = guava.handler.Handler(
        package=".", module="misc", cls="MiscController", action="about"
    )
    assert handler.controller == handler.cls == "MiscController"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ({"module": "missing", "controller": "C", "action": "a"}, "missing.py"),
        ({"module": "misc", "controller": "Missing", "action": "a"}, "class Missing"),
        ({"module": "misc", "controller": "MiscController", "action": "x"}, "method x"),
    ],
)
def test_a_handler_that_leads_nowhere(here, run: Callable, caplog, names, text: str) -> None:
    """Registered, it is an error at the start; made by a route(), the address is not found."""
    handler = guava.handler.Handler(**names)
    server = guava.server.Server(port=0)
    server.add_router(guava.router.Router({"/a": handler}))
    with pytest.raises(LookupError, match=text) as caught:
        server.serve()
    assert __file__ in caught.value.__notes__[0]

    class Own(guava.router.Router):
        def route(self, req):
            return handler

    server = guava.server.Server(port=0)
    server.add_router(Own())
    assert run(server).ask("/a").status == 404
    assert text in caplog.text


@pytest.mark.parametrize("action", ["write", "redirect", "before_action", "req", "SESSION"])
def test_a_handler_of_what_is_no_action(here, run: Callable, caplog, action: str) -> None:
    server = guava.server.Server(port=0)
    handler = guava.handler.Handler(
        module="misc", controller="MiscController", action=action, args=("x",)
    )

    class Own(guava.router.Router):
        def route(self, req):
            return handler

    server.add_router(Own())
    assert run(server).ask("/a").status in (404, 500)
    assert action in caplog.text


def test_a_handler_of_what_is_no_controller(here, run: Callable, tmp_path: Path, caplog) -> None:
    (tmp_path / "plain.py").write_text("class Plain:\n    def show(self): return 'x'\n")
    server = guava.server.Server(port=0)
    server.add_router(
        guava.router.Router(
            {"/a": guava.handler.Handler(module="plain", controller="Plain", action="show")}
        )
    )
    assert run(server).ask("/a").status == 500
    assert "does not derive from" in str(caplog.records[-1].exc_info[1])


class RememberingStore(guava.session.SessionStore):
    """In the shape of the README's RedisSessionStore, over a dict."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.kept: dict[str, dict] = {}

    def set(self, sid, value):
        self.kept[sid] = dict(value)

    def get(self, sid):
        return self.kept.get(sid)

    def delete(self, sid):
        self.kept.pop(sid, None)

    def clear(self, sid):
        self.kept[sid] = {}


def test_a_store_of_ones_own(serve: Callable) -> None:
    store = RememberingStore()
    client = serve(
        store=store,
        index="""
class IndexController(Controller):
    def index(self):
        self.SESSION["n"] = self.SESSION.get("n", 0) + 1
        return str(self.SESSION["n"])
""",
    )
    assert [client.ask("/").text for _ in range(3)] == ["1", "2", "3"]
    assert len(store.kept) == 1


def test_all_modules_come_with_the_package() -> None:
    for name in [
        "router",
        "handler",
        "controller",
        "session",
        "server",
        "request",
        "response",
        "cookie",
    ]:
        assert getattr(guava, name).__name__ == f"guava.{name}"
    assert issubclass(guava.session.Mem, guava.session.SessionStore)
    assert isinstance(
        guava.session.SessionStore(type=guava.session.Mem), guava.session.SessionStore
    )
    assert guava.__version__.count(".") == 2
