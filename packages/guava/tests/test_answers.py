"""What a router may answer with beside the name of an action."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import guava
import pytest
from guava.handler import NotFound, RedirectHandler, StaticHandler
from guava.request import Request
from guava.response import Response


def plain(req: Request) -> str:
    return f"plain {req.path}"


async def later(req: Request) -> dict[str, str]:
    await asyncio.sleep(0)
    return {"path": req.path}


class Called:
    def __call__(self, req: Request) -> Response:
        return Response("called", status=202)


@pytest.fixture
def client(run: Callable, tmp_path: Path):
    (tmp_path / "report.txt").write_text("a report")

    class Own(guava.router.Router):
        def route(self, req):
            return NotFound() if req.path == "/ended" else None

    server = guava.server.Server(port=0)
    server.add_router(
        guava.router.Router(
            {
                "/plain": plain,
                "/later": later,
                "/callable": Called(),
                "/moved": RedirectHandler("/plain?a=b", 308),
                "/report": StaticHandler(tmp_path / "report.txt"),
                "/gone": StaticHandler(tmp_path / "gone.txt"),
                "/ended": plain,
            }
        ),
        Own(),
    )
    return run(server)


def test_functions(client) -> None:
    assert client.ask("/plain").text == "plain /plain"
    assert client.ask("/later").body == b'{"path":"/later"}'
    answer = client.ask("/callable")
    assert (answer.status, answer.text) == (202, "called")


def test_a_redirect(client) -> None:
    answer = client.ask("/moved")
    assert (answer.status, answer.headers["Location"]) == (308, "/plain?a=b")


def test_a_file(client) -> None:
    answer = client.ask("/report")
    assert (answer.status, answer.text) == (200, "a report")
    assert client.ask("/report", headers={"If-None-Match": answer.headers["ETag"]}).status == 304
    assert client.ask("/report").text == "a report"
    answer = client.ask("/report", "POST")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_a_file_that_has_gone(client) -> None:
    assert client.ask("/gone").status == 404


def test_a_router_may_end_the_search(client) -> None:
    answer = client.ask("/ended")
    assert answer.status == 404
    assert "There is no page at this address." in answer.text
