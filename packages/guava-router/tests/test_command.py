"""python -m guava_router: lists, draws, explains; and says what is wrong with its arguments."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guava_router.__main__ import NotLoaded, load, main

SHOP = """
    from types import SimpleNamespace
    from guava_router import Mounts, Router

    router = Router({"/about": 1, "/": 2}, mount_point="/shop")
    router.register("/carts/{id:int}", 3, methods=["GET", "PUT"], name="cart")
    router.register("/carts/{id:int}/items/{item}", 4)
    router.register("/in", 5, host="{tenant}.example.com")
    other = Router({"/help": 6})
    mounts = Mounts(router, other)
    server = SimpleNamespace(routers=[router, other])
    wsgi, asgi = router.as_wsgi(), mounts.as_asgi()
    nested = SimpleNamespace(deep=SimpleNamespace(router=other))
    number = 5

    def create():
        return Router({"/made": 7})

    def failing():
        raise OSError("no database")
"""


@pytest.fixture(autouse=True)
def shop(program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = program(
        {
            "shop.py": SHOP,
            "broken.py": "import nowhere_to_be_found",
            "empty.py": "",
            "wrong.py": "def f():\n    raise ValueError('spoilt')\nf()",
        }
    )
    monkeypatch.chdir(folder)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        status = main(arguments)
    except SystemExit as error:
        assert isinstance(error.code, int)
        status = error.code
    return status, *capsys.readouterr()


def test_a_list(capsys: Any) -> None:
    status, out, _ = run(capsys, "shop:router")
    lines = out.splitlines()
    assert status == 0
    assert len(lines) == 5
    assert lines[2].split()[:3] == ["GET,PUT", "/shop/carts/{id:int}", "3"]
    assert "shop.py:6" in lines[2]


def test_json(capsys: Any) -> None:
    status, out, _ = run(capsys, "shop:router", "--json")
    routes = json.loads(out)
    assert status == 0
    assert routes[2].pop("where").endswith("shop.py:6")
    assert routes[2] == {
        "methods": ["GET", "PUT"],
        "pattern": "/shop/carts/{id:int}",
        "name": "cart",
        "host": None,
        "target": "3",
    }
    assert routes[4]["host"] == "{tenant}.example.com"


def test_a_tree(capsys: Any) -> None:
    status, out, _ = run(capsys, "shop:mounts", "--tree")
    drawn = [re.match(r"[│├└─ ]*\S+", line)[0] for line in out.splitlines()]
    assert status == 0
    assert drawn == [
        "├── /help",
        "└── /shop",
        "    ├── /",
        "    ├── /about",
        "    └── /carts/{id:int}",
        "        └── /items/{item}",
        "{tenant}.example.com",
        "└── /shop/in",
    ]
    status, out, _ = run(capsys, "shop:mounts", "--tree", "--json")
    hosts = json.loads(out)["hosts"]
    assert [host["host"] for host in hosts] == [None, "{tenant}.example.com"]
    assert [segment["text"] for segment in hosts[0]["segments"]] == ["help", "shop"]


@pytest.mark.parametrize(
    ("arguments", "status", "last"),
    [
        (["GET", "/shop/carts/7"], 0, "-> 3  /shop/carts/{id:int}  id=7"),
        (["get", "/shop/carts/7?a=b"], 0, "-> 3  /shop/carts/{id:int}  id=7"),
        (["DELETE", "/shop/carts/7"], 1, "-> 405 Method Not Allowed, allowed: GET, HEAD, PUT"),
        (["GET", "/shop/carts/x"], 1, "  /shop/carts/{id:int}"),
        (["GET", "/shop/about/"], 0, "-> 308, redirected to /shop/about"),
        (["GET", "/shop/in"], 1, "-> 404 Not Found"),
        (["GET", "/shop/in", "--host", "a.example.com"], 0, "-> 5  /shop/in  tenant='a'"),
    ],
)
def test_an_explanation(capsys: Any, arguments: list[str], status: int, last: str) -> None:
    found, out, _ = run(capsys, "shop:router", "--explain", *arguments)
    assert found == status
    assert any(line.startswith(last) for line in out.splitlines()), out
    found, out, _ = run(capsys, "shop:router", "--json", "--explain", *arguments)
    assert found == status
    assert json.loads(out)["found"] is (status == 0)


@pytest.mark.parametrize(
    ("name", "routes"),
    [
        ("shop:router", 5),
        ("shop:mounts", 6),
        ("shop:server", 6),
        ("shop:wsgi", 5),
        ("shop:asgi", 6),
        ("shop:create()", 1),
        ("shop:nested.deep.router", 1),
    ],
)
def test_what_can_be_named(name: str, routes: int) -> None:
    assert len(load(name).routes()) == routes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing:router", "there is no module 'nothing' in "),
        ("shop.py:router", "did you mean shop?"),
        ("shop", "did you mean shop:router or shop:other or shop:mounts or"),
        ("empty", "give empty:router, the router in it"),
        ("shop:rooter", "shop has no rooter; it has router, other"),
        ("shop:router.deep", "shop has no router.deep"),
        ("shop:number", "shop:number is 5, not a Router, Mounts or a server"),
        ("shop:create", "if it makes one, give shop:create()"),
        ("shop:failing()", "shop:failing() failed: OSError: no database ("),
        ("broken:router", "broken failed to import: ModuleNotFoundError: No module named"),
        ("wrong:router", "wrong failed to import: ValueError: spoilt ("),
        (":router", "not of the form module:router"),
        ("shop:", "not of the form module:router"),
        ("shop:create(1)", "not of the form module:router"),
        ("..shop:router", "not of the form module:router"),
    ],
)
def test_what_cannot_be_named(capsys: Any, name: str, message: str) -> None:
    with pytest.raises(NotLoaded) as error:
        load(name)
    assert message in str(error.value)
    status, out, err = run(capsys, name)
    assert (status, out) == (2, "")
    assert err.startswith("guava_router: ") and message in err


def test_the_place_of_an_error_is_that_of_the_program() -> None:
    with pytest.raises(NotLoaded, match=r"wrong\.py:2\)"):
        load("wrong:router")
    with pytest.raises(NotLoaded, match=r"broken\.py:1\)"):
        load("broken:router")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["shop:router", "--host", "a"],
        ["shop:router", "--tree", "--explain", "GET", "/"],
        ["shop:router", "--explain", "GET"],
        ["shop:router", "--explain", "GET", "about"],
    ],
)
def test_a_wrong_command_line(capsys: Any, arguments: list[str]) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert "usage: python -m guava_router" in err


def test_as_a_program(shop: Path) -> None:
    command = [sys.executable, "-m", "guava_router", "shop:router"]
    # Not from the fixture's sys.path: the program's folder is where it is called.
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [*command, "--explain", "GET", "/shop/nothing"],
        cwd=shop,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("GET /shop/nothing\n")
    assert done.stderr == ""


def test_a_reader_that_has_seen_enough(shop: Path) -> None:
    (shop / "large.py").write_text(
        "from guava_router import Router\n"
        "router = Router({f'/route/number/{i}': i for i in range(3000)})\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "guava_router", "large:router"],
        cwd=shop,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=120) in (0, 1)
    process.stderr.close()
