"""What a controller's actions may do, and what comes of it."""

import json
from collections.abc import Callable

import pytest


@pytest.mark.parametrize("kind", ["def", "async def"])
class TestAnswers:
    """The same for plain and for async actions."""

    def answer(self, serve: Callable, kind: str, body: str):
        source = f"""
class IndexController(Controller):
    {kind} index(self):
        {body}
"""
        return serve(index=source).ask("/")

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            ("return 'Grüße'", "Grüße"),
            ("return b'bytes'", "bytes"),
            ("self.write('one')", "one"),
            ("self.write('one'); self.write(' two'); self.write(b' three')", "one two three"),
            ("self.write('one'); self.write(' two')", "one two"),
            ("pass", ""),
            ("return ''", ""),
            ("return iter(['a', 'b', b'c'])", "abc"),
        ],
    )
    def test_text(self, serve: Callable, kind: str, body: str, text: str) -> None:
        answer = self.answer(serve, kind, body)
        assert answer.status == 200
        assert answer.text == text
        if body.startswith(("return '", "return b", "self.write")):
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"

    @pytest.mark.parametrize(
        "body",
        [
            "return {'a': [1, 'ü']}",
            "self.write({'a': [1, 'ü']})",
            "self.set_header('X-A', 'b'); return {'a': [1, 'ü']}",
        ],
    )
    def test_json(self, serve: Callable, kind: str, body: str) -> None:
        answer = self.answer(serve, kind, body)
        assert answer.headers["Content-Type"] == "application/json"
        assert json.loads(answer.body) == {"a": [1, "ü"]}

    def test_a_list_is_json(self, serve: Callable, kind: str) -> None:
        assert json.loads(self.answer(serve, kind, "return [1, 2]").body) == [1, 2]

    def test_status_fields_and_cookies_go_with_the_text(self, serve: Callable, kind: str) -> None:
        answer = self.answer(
            serve,
            kind,
            "self.set_status_code(418); self.set_header('X-Tea', 'green');"
            "self.set_cookie('cup', 'full', max_age=60); return 'short and stout'",
        )
        assert answer.status == 418
        assert answer.headers["X-Tea"] == "green"
        assert answer.headers["Set-Cookie"].startswith("cup=full;")
        assert answer.text == "short and stout"
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"

    def test_a_response(self, serve: Callable, kind: str) -> None:
        answer = self.answer(
            serve,
            kind,
            "from guava.response import Response;"
            "return Response('made', status=201, headers={'X-A': 'its'})",
        )
        assert (answer.status, answer.text, answer.headers["X-A"]) == (201, "made", "its")

    def test_what_was_set_goes_with_a_response_that_wins(self, serve: Callable, kind: str) -> None:
        answer = self.answer(
            serve,
            kind,
            "from guava.response import Response;"
            "self.set_status_code(404);"
            "self.set_header('x-a', 'mine'); self.set_header('X-B', 'mine');"
            "self.set_cookie('one', '1'); r = Response('made', headers={'X-A': 'its'});"
            "r.set_cookie('two', '2'); return r",
        )
        assert answer.status == 200
        assert answer.headers.get_all("X-A") == ["its"]
        assert answer.headers["X-B"] == "mine"
        cookies = [line.partition(";")[0] for line in answer.headers.get_all("Set-Cookie")]
        assert sorted(cookies) == ["one=1", "two=2"]

    def test_redirect(self, serve: Callable, kind: str) -> None:
        answer = self.answer(serve, kind, "self.redirect('/elsewhere?a=b#c')")
        assert answer.status == 302
        assert answer.headers["Location"] == "/elsewhere?a=b#c"
        answer = self.answer(serve, kind, "return self.redirect('/grün und so', 303)")
        assert answer.status == 303
        assert answer.headers["Location"] == "/gr%C3%BCn%20und%20so"

    @pytest.mark.parametrize(
        "body",
        [
            "self.redirect('/a', 200)",
            "self.redirect('/a\\r\\nX-B: c')",
            "self.set_header('X-A', 'b\\nc')",
            "self.set_header('X A', 'b')",
            "self.set_cookie('a', 'b\\r\\nc')",
            "self.write(5)",
            "self.write('a'); return 'b'",
            "return 5",
            "self.SESSION['a'] = 'b'",
            "1 / 0",
        ],
    )
    def test_a_mistake_is_a_500_page(self, serve: Callable, kind: str, body: str, caplog) -> None:
        answer = self.answer(serve, kind, body)
        assert answer.status == 500
        assert "Traceback" not in answer.text
        assert caplog.records[-1].exc_info is not None

    def test_an_error_as_an_answer(self, serve: Callable, kind: str, caplog) -> None:
        answer = self.answer(
            serve,
            kind,
            "from guava.response import HTTPError;"
            "raise HTTPError(402, 'Pay <now>', headers={'X-Price': '3'})",
        )
        assert answer.status == 402
        assert "Pay &lt;now&gt;" in answer.text
        assert answer.headers["X-Price"] == "3"
        assert not caplog.records

    def test_an_iterator_with_a_status(self, serve: Callable, kind: str) -> None:
        answer = self.answer(
            serve, kind, "self.set_status_code(203); return (str(n) for n in range(5))"
        )
        assert (answer.status, answer.text) == (203, "01234")


def test_what_came(serve: Callable) -> None:
    client = serve(
        index="""
class IndexController(Controller):
    def index(self):
        return {
            "GET": dict(self.GET),
            "all": self.GET.getlist("a"),
            "POST": dict(self.POST),
            "COOKIES": dict(self.COOKIES),
            "type": self.HEADERS["content-type"],
            "method": self.req.method,
            "path": self.req.path,
        }
"""
    )
    answer = client.ask(
        "/?a=1&a=2&b=%C3%BC",
        "POST",
        "c=3&d=e+f",
        {"Content-Type": "application/x-www-form-urlencoded", "Cookie": "x=y; z=1"},
    )
    assert json.loads(answer.body) == {
        "GET": {"a": "2", "b": "ü"},
        "all": ["1", "2"],
        "POST": {"c": "3", "d": "e f"},
        "COOKIES": {"x": "y", "z": "1"},
        "type": "application/x-www-form-urlencoded",
        "method": "POST",
        "path": "/",
    }


def test_generators_as_actions(serve: Callable) -> None:
    client = serve(
        index="""
import asyncio

class IndexController(Controller):
    def index(self):
        yield "a"
        yield b"b"

    async def later(self):
        for letter in "xyz":
            await asyncio.sleep(0)
            yield letter
"""
    )
    assert client.ask("/").text == "ab"
    assert client.ask("/index/later").text == "xyz"


def test_an_instance_serves_one_request(serve: Callable) -> None:
    client = serve(
        index="""
class IndexController(Controller):
    count = 0

    def __init__(self):
        self.own = []

    def index(self):
        self.count += 1
        self.own.append(self.count)
        return {"own": self.own}
"""
    )
    assert client.ask("/").body == client.ask("/").body == b'{"own":[1]}'


def test_head_and_options(serve: Callable) -> None:
    client = serve(
        index="""
class IndexController(Controller):
    def index(self):
        return "five!"
"""
    )
    answer = client.ask("/", "HEAD")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "5")
    answer = client.ask("/", "OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert {"GET", "HEAD", "OPTIONS", "POST"} <= set(answer.headers["Allow"].split(", "))
    assert client.ask("/nowhere", "OPTIONS").status == 404


def test_an_action_behind_a_plain_decorator_may_be_async(serve: Callable) -> None:
    client = serve(
        index="""
import asyncio, functools

def plain(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    del wrapper.__wrapped__
    return wrapper

class IndexController(Controller):
    @plain
    async def index(self):
        await asyncio.sleep(0)
        self.set_header("X-A", "b")
        return "waited"

    @plain
    async def bad(self):
        1 / 0
"""
    )
    answer = client.ask("/")
    assert (answer.text, answer.headers["X-A"]) == ("waited", "b")
    assert client.ask("/index/bad").status == 500
