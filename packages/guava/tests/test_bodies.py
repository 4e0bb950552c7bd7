"""Actions that say how their body is to be read."""

from collections.abc import Callable

import guava
import pytest

SOURCE = """
import asyncio, threading
from guava.request import body_limit, stream_body

class IndexController(Controller):
    def index(self):
        return self.POST.get("a", "none")

    @stream_body
    async def streamed(self):
        size = 0
        async for chunk in self.req.stream():
            size += len(chunk)
        return str(size)

    @stream_body
    def blocking(self):
        assert threading.current_thread().name.startswith("guava_http")
        return str(sum(map(len, self.req.stream())))

    @stream_body(limit=2_000_000)
    async def limited(self):
        return str(len(await self.req.read(3_000_000)))

    @body_limit(2_000_000)
    def larger(self):
        return str(len(self.req.body))

    def files(self):
        return {name: file.read().decode() for name, file in self.req.files.multi_items()}
"""

LONG = b"x" * 1_500_000


@pytest.mark.parametrize("action", ["streamed", "blocking", "limited", "larger"])
def test_long_bodies(serve: Callable, action: str) -> None:
    client = serve(index=SOURCE)
    answer = client.ask(f"/index/{action}", "POST", LONG)
    assert (answer.status, answer.text) == (200, "1500000")


@pytest.mark.parametrize("action", ["limited", "larger", "index"])
def test_bodies_that_are_too_long(serve: Callable, action: str) -> None:
    client = serve(index=SOURCE)
    # It is not sent: a client that goes on sending may see the connection's end before the answer.
    fields = {"Content-Length": "2100000"}
    assert client.ask(f"/index/{action}", "POST", None, fields).status == 413


def test_others_are_as_before(serve: Callable) -> None:
    client = serve(index=SOURCE)
    assert client.post("/index/index", "a=1").text == "1"
    assert client.ask("/index/nothing", "POST", b"body").status == 404


MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue\r\n'
    b'--x\r\nContent-Disposition: form-data; name="f"; filename="n"\r\n\r\ncontent\r\n--x--\r\n'
)


def test_multipart_forms(serve: Callable) -> None:
    client = serve(index=SOURCE)
    fields = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.ask("/index/index", "POST", MULTIPART, fields).text == "value"
    assert client.ask("/index/files", "POST", MULTIPART, fields).text == '{"f":"content"}'


def test_rest_and_registered_routes(site: Callable, run: Callable) -> None:
    rest = site(
        things="""
            from guava.request import stream_body

            class ThingsController(Controller):
                @stream_body
                async def create_one(self):
                    return str(sum([len(chunk) async for chunk in self.req.stream()]))
        """
    )
    package = site(index=SOURCE)
    server = guava.server.Server(port=0)
    router = guava.router.Router()
    router.register(
        "/registered",
        guava.handler.Handler(
            package=package, module="index", controller="IndexController", action="streamed"
        ),
    )
    server.add_router(router, guava.router.RESTRouter("/api", package=rest))
    client = run(server)
    assert client.ask("/registered", "POST", LONG).text == "1500000"
    assert client.ask("/api/things", "POST", LONG).text == "1500000"
