"""Pages for errors, and who sees what of them."""

import json
import logging
from collections.abc import Callable

import guava
import pytest
from guava.request import Request
from guava.response import HTTPError, Response

SOURCE = """
class IndexController(Controller):
    def fails(self):
        raise ValueError("<script>secret</script>")

    async def fails_later(self):
        raise ValueError("<script>secret</script>")
"""


@pytest.mark.parametrize("path", ["/index/fails", "/index/fails_later"])
class TestAccidents:
    def test_the_visitor_sees_nothing_of_it(self, serve: Callable, path: str, caplog) -> None:
        answer = serve(index=SOURCE).ask(path)
        assert answer.status == 500
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
        record = caplog.records[-1]
        assert record.name == "guava" and record.levelno == logging.ERROR
        assert path in record.getMessage()
        assert "secret" in str(record.exc_info[1])

    def test_debug_shows_the_traceback_escaped(self, serve: Callable, path: str) -> None:
        answer = serve(index=SOURCE, server={"debug": True}).ask(path)
        assert answer.status == 500
        assert "Traceback" in answer.text
        assert "&lt;script&gt;secret" in answer.text
        assert "<script>" not in answer.text

    def test_the_connection_goes_on(self, serve: Callable, path: str) -> None:
        import http.client

        client = serve(index=SOURCE)
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
        for _ in range(3):
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            assert response.status == 500
            assert response.getheader("Connection") != "close"
        connection.close()


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        (None, False),
        ("*/*", False),
        ("text/html,application/xhtml+xml", False),
        ("application/json", True),
        ("application/problem+json, */*", True),
        ("text/html, application/json;q=0.5", False),
    ],
)
def test_json_for_those_who_ask_for_it(serve: Callable, accept: str | None, is_json: bool) -> None:
    answer = serve(index=SOURCE).ask("/nowhere", headers={"Accept": accept} if accept else None)
    assert answer.status == 404
    if is_json:
        assert json.loads(answer.body) == {"status": 404, "error": "Not Found"}
    else:
        assert answer.text.startswith("<!doctype html>")


def test_pages_of_ones_own(site: Callable, run: Callable, caplog) -> None:
    class Server(guava.server.Server):
        def error_page(self, req, status, text, error):
            if req.path == "/broken":
                raise RuntimeError("the page is broken too")
            if req.path == "/response":
                return Response("made", status=410)
            return f"{status} {text} {error}"

    server = Server(port=0)
    server.add_router(guava.router.MVCRouter("/", package=site(index=SOURCE)))
    client = run(server)
    answer = client.ask("/nowhere")
    assert (answer.status, answer.text) == (404, "404 None None")
    answer = client.ask("/index/fails")
    assert (answer.status, answer.text) == (500, "500 None None")
    answer = client.ask("/response")
    assert (answer.status, answer.text) == (410, "made")
    answer = client.ask("/broken")
    assert answer.status == 404
    assert "<!doctype html>" in answer.text
    assert "the page is broken too" in caplog.text


def test_functions_may_raise_errors_too(run: Callable) -> None:
    def plain(req: Request) -> str:
        raise HTTPError(404, "not & here")

    async def later(req: Request) -> str:
        raise HTTPError(404, "not & here")

    server = guava.server.Server(port=0)
    server.add_router(guava.router.Router({"/plain": plain, "/later": later}))
    client = run(server)
    for path in ("/plain", "/later"):
        answer = client.ask(path)
        assert answer.status == 404
        assert "not &amp; here" in answer.text


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [("{", "application/json", 400), ("a&" * 1001, "application/x-www-form-urlencoded", 413)],
)
def test_what_the_client_got_wrong_is_not_our_accident(
    serve: Callable, body: str, kind: str, status: int, caplog
) -> None:
    source = """
class IndexController(Controller):
    def read(self):
        return {"form": dict(self.POST), "json": self.req.json()}

    async def read_later(self):
        return {"form": dict(self.POST), "json": self.req.json()}
"""
    client = serve(index=source)
    for path in ("/index/read", "/index/read_later"):
        answer = client.ask(path, "POST", body, {"Content-Type": kind})
        assert answer.status == status
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("status", [0, 200, 399, 600])
def test_an_error_has_an_error_status(status: int) -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        HTTPError(status)


def test_a_body_that_is_not_what_it_says_is_the_clients_mistake(serve: Callable, caplog) -> None:
    client = serve(
        index="""
class IndexController(Controller):
    def index(self):
        return self.req.json()

    async def later(self):
        return self.req.json()
"""
    )
    for path in ("/", "/index/later"):
        answer = client.ask(path, "POST", "{", {"Content-Type": "application/json"})
        assert answer.status == 400
    assert not caplog.records
