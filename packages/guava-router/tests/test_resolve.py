"""resolve(): from the names in a handler to the class, the function and their place."""

import pytest
from guava_router import ControllerImportError, Handler, HandlerNotFound, RouteError, resolve

MISC = """
    class Parent:
        def inherited(self): ...

    class MiscController(Parent):
        text = "x"
        def about(self): ...
        def view(self, n): ...
        def _private(self): ...
        @staticmethod
        def static(): ...
        @property
        def prop(self): ...

    class_in_lower_case = 3
    """


@pytest.mark.parametrize(("prefix", "package"), [("", "."), ("site/", "site_pkg")])
def test_names_become_objects(program, prefix: str, package: str) -> None:
    folder = "" if package == "." else "site_pkg/"
    root = program({f"{folder}misc.py": MISC})
    handler = Handler(package, "misc", "MiscController", "view", ("10",))
    endpoint = resolve(handler)
    assert endpoint is handler.endpoint
    assert endpoint.target.__name__ == "MiscController"
    assert endpoint.function is endpoint.target.view
    assert (endpoint.min_args, endpoint.max_args) == (1, 1)
    assert endpoint.file == str(root / f"{folder}misc.py")
    assert endpoint.line == 8
    assert resolve(handler) is endpoint


def test_a_registered_handler_may_name_an_inherited_action(program) -> None:
    program({"misc.py": MISC})
    endpoint = resolve(Handler(module="misc", controller="MiscController", action="inherited"))
    assert endpoint.function.__qualname__ == "Parent.inherited"


def test_a_class_needs_no_import() -> None:
    class Here:
        def show(self): ...

    endpoint = resolve(Handler(controller=Here, action="show"))
    assert (endpoint.target, endpoint.function) == (Here, Here.show)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((".", "nothing_here", "C"), r"there is no nothing_here\.py in"),
        ((".", "_misc", "C"), r"there is no _misc\.py"),
        ((".", "../misc", "C"), "there is no"),
        ((".", "this", "C"), r"there is no this\.py"),
        ((".", "misc", "NoController"), "has no class NoController"),
        ((".", "misc", "class_in_lower_case"), "has no class class_in_lower_case"),
        ((".", "misc", "MiscController", "missing"), "no public method missing"),
        ((".", "misc", "MiscController", "_private"), "no public method _private"),
        ((".", "misc", "MiscController", "__init__"), "no public method __init__"),
        ((".", "misc", "MiscController", "text"), "no public method text"),
        ((".", "misc", "MiscController", "static"), "no public method static"),
        ((".", "misc", "MiscController", "prop"), "no public method prop"),
        ((".", "misc", "MiscController", "view"), "does not take 0 arguments"),
        ((".", "misc", "MiscController", "about", ("1",)), "does not take 1 arguments"),
        (("email", "nothing_here", "C"), "email .* has no module nothing_here"),
    ],
)
def test_what_names_nothing(program, names: tuple, message: str) -> None:
    program({"misc.py": MISC, "_misc.py": MISC})
    with pytest.raises(HandlerNotFound, match=message):
        resolve(Handler(*names))


def test_packages_and_modules_that_fail(program) -> None:
    program({"broken.py": "1 / 0", "pkg_b/__init__.py": "", "pkg_b/broken.py": "1 / 0"})
    for package in (".", "pkg_b"):
        with pytest.raises(ControllerImportError, match="ZeroDivisionError"):
            resolve(Handler(package, "broken", "C"))
    with pytest.raises(ControllerImportError, match="there is no package 'no_such_pkg'"):
        resolve(Handler("no_such_pkg", "m", "C"))
    with pytest.raises(RouteError, match="a package is"):
        resolve(Handler("a b", "m", "C"))


def test_a_failing_module_is_tried_again(program) -> None:
    root = program({"flaky.py": "1 / 0"})
    handler = Handler(module="flaky", controller="FlakyController")
    with pytest.raises(ControllerImportError):
        resolve(handler)
    (root / "flaky.py").write_text(
        "class FlakyController:\n    def index(self): return 'mended'\n"
    )
    assert resolve(handler).target().index() == "mended"
