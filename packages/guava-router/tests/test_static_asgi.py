"""StaticRouter as an ASGI application: what it sends, and that it reads nothing for nobody."""

import asyncio
import gc
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from guava_router import StaticRouter
from guava_router.files import StaticFile

CONTENT = bytes(range(256)) * 4096  # a megabyte: four pieces


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "sub").mkdir(parents=True)
    (root / "big.bin").write_bytes(CONTENT)
    (root / "app.js").write_text("plain")
    (root / "app.js.gz").write_text("packed")
    return root


class Exchange:
    """One request, and what was sent to it."""

    def __init__(self, path: str, method: str = "GET", **scope: Any) -> None:
        fields = scope.pop("fields", {})
        headers = [(k.replace("_", "-").encode(), v.encode()) for k, v in fields.items()]
        self.scope = {"type": "http", "method": method, "path": path, "headers": headers, **scope}
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        assert [m["type"] for m in self.sent].count("http.response.start") == 1
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        found = dict(self.sent[0]["headers"])
        assert len(found) == len(self.sent[0]["headers"])
        assert all(name == name.lower() for name in found)
        return found

    @property
    def body(self) -> bytes:
        *firsts, last = self.sent[1:]
        assert all(m["more_body"] for m in firsts) and not last.get("more_body", False)
        return b"".join(m["body"] for m in self.sent[1:])


def ask(app: Callable[..., Awaitable[None]], *args: Any, **kwargs: Any) -> Exchange:
    async def run() -> Exchange:
        exchange = Exchange(*args, **kwargs)
        await app(exchange.scope, exchange.receive, exchange.send)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "nobody is left waiting"
        return exchange

    return asyncio.run(run())


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/dev/fd"))


def test_files(site: Path) -> None:
    app = StaticRouter("/static", site, precompressed=True).as_asgi()
    before = open_files()
    whole = ask(app, "/static/big.bin")
    assert (whole.status, whole.body) == (200, CONTENT)
    assert whole.headers[b"content-length"] == b"1048576"
    assert max(len(m.get("body", b"")) for m in whole.sent) <= 262_144, "memory is bounded"
    small = ask(app, "/static/app.js")
    assert (small.body, len(small.sent)) == (b"plain", 2)
    head = ask(app, "/static/big.bin", "HEAD")
    assert (head.status, head.body, head.headers) == (200, b"", whole.headers)
    part = ask(app, "/static/big.bin", fields={"range": "bytes=5-700004"})
    assert (part.status, part.body) == (206, CONTENT[5:700_005])
    several = ask(app, "/static/big.bin", fields={"range": "bytes=0-0,-400000"})
    assert several.headers[b"content-type"].startswith(b"multipart/byteranges; boundary=")
    assert several.headers[b"content-length"] == b"%d" % len(several.body)
    same = ask(app, "/static/big.bin", fields={"if_none_match": "*"})
    assert (same.status, same.body) == (304, b"")
    assert ask(app, "/static/big.bin", fields={"if_match": '"x"'}).status == 412
    assert ask(app, "/static/big.bin", fields={"range": "bytes=9999999-"}).status == 416
    packed = ask(app, "/static/app.js", fields={"accept_encoding": "gzip"})
    assert (packed.body, packed.headers[b"content-encoding"]) == (b"packed", b"gzip")
    assert ask(app, "/static/none").status == 404
    assert ask(app, "/static/app.js", "POST").status == 405
    assert ask(app, "/static/sub", root_path="/app").headers[b"location"] == b"/app/static/sub/"
    assert open_files() == before


def test_the_loop_reads_nothing(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = set()
    read_at = StaticFile.read_at

    def note(self: StaticFile, at: int, most: int) -> bytes:
        readers.add(threading.current_thread())
        return read_at(self, at, most)

    monkeypatch.setattr(StaticFile, "read_at", note)
    assert ask(StaticRouter("/", site).as_asgi(), "/big.bin").body == CONTENT
    assert readers and threading.current_thread() not in readers


PATHSEND: dict[str, Any] = {"extensions": {"http.response.pathsend": {}}}


def test_a_server_that_sends_paths(site: Path) -> None:
    app = StaticRouter("/", site, precompressed=True).as_asgi()
    whole = ask(app, "/big.bin", **PATHSEND)
    assert whole.sent[1:] == [{"type": "http.response.pathsend", "path": str(site / "big.bin")}]
    assert whole.headers[b"content-length"] == b"1048576"
    packed = ask(app, "/app.js", fields={"accept_encoding": "gzip"}, **PATHSEND)
    assert packed.sent[1]["path"] == str(site / "app.js.gz")
    assert ask(app, "/big.bin", "HEAD", **PATHSEND).body == b""
    assert ask(app, "/big.bin", fields={"range": "bytes=0-0"}, **PATHSEND).body == b"\0"
    assert ask(app, "/big.bin", fields={"if_none_match": "*"}, **PATHSEND).status == 304


def test_a_path_that_leads_elsewhere_is_not_given_away(site: Path, tmp_path: Path) -> None:
    """The directory was opened at the start; who opens its name finds what lies there now."""
    app = StaticRouter("/", site).as_asgi()
    site.rename(tmp_path / "renamed")
    assert ask(app, "/app.js", **PATHSEND).body == b"plain"
    site.mkdir()
    (site / "app.js").write_text("of another directory")
    assert ask(app, "/app.js", **PATHSEND).body == b"plain"


def test_a_client_that_leaves(site: Path) -> None:
    with open(site / "huge.bin", "wb") as file:
        file.truncate(2**40)
    app = StaticRouter("/", site).as_asgi()
    before = open_files()

    class Leaves(Exchange):
        async def send(self, message: dict[str, Any]) -> None:
            await super().send({**message, "body": None})
            if len(self.sent) == 4:
                self.left.set()

    async def run() -> Exchange:
        exchange = Leaves("/huge.bin")
        await app(exchange.scope, exchange.receive, exchange.send)  # type: ignore[arg-type]
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return exchange

    # A terabyte is not read to its end within any test's time.
    assert len(asyncio.run(run()).sent) < 1000
    assert open_files() == before


def test_a_server_that_tells_it_to_send(site: Path) -> None:
    """Since version 2.4 of the specification, send() raises OSError."""
    app = StaticRouter("/", site).as_asgi()
    before = open_files()

    class Breaks(Exchange):
        async def send(self, message: dict[str, Any]) -> None:
            await super().send(message)
            if len(self.sent) == 3:
                raise ConnectionResetError

    async def run() -> None:
        exchange = Breaks("/big.bin")
        with pytest.raises(ConnectionResetError):
            await app(exchange.scope, exchange.receive, exchange.send)  # type: ignore[arg-type]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
    assert open_files() == before


def test_a_task_that_is_cancelled_while_a_thread_reads(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptor stays open until the thread is done with it: its number may be reused."""
    app = StaticRouter("/", site).as_asgi()
    before = open_files()
    reads, goes_on = threading.Event(), threading.Event()
    seen: list[int] = []
    read_at = StaticFile.read_at

    def slow(self: StaticFile, at: int, most: int) -> bytes:
        if at > 0:
            reads.set()
            assert goes_on.wait(60)
            seen.append(self.fd)
        return read_at(self, at, most)

    monkeypatch.setattr(StaticFile, "read_at", slow)

    async def run() -> None:
        exchange = Exchange("/big.bin")
        task = asyncio.create_task(app(exchange.scope, exchange.receive, exchange.send))  # type: ignore[arg-type]
        await asyncio.to_thread(reads.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        goes_on.set()

    asyncio.run(run())  # waits for the threads
    assert len(seen) == 1 and seen[0] >= 0
    assert open_files() == before


def test_a_file_that_becomes_shorter(site: Path) -> None:
    app = StaticRouter("/", site).as_asgi()

    class Truncates(Exchange):
        async def send(self, message: dict[str, Any]) -> None:
            await super().send(message)
            os.truncate(site / "big.bin", 300_000)

    async def run() -> Exchange:
        exchange = Truncates("/big.bin")
        with pytest.raises(EOFError, match="after 300000 of 1048576"):
            await app(exchange.scope, exchange.receive, exchange.send)  # type: ignore[arg-type]
        return exchange

    # The body is never said to be complete: the server breaks the connection off.
    assert all(m["more_body"] for m in asyncio.run(run()).sent[1:])


def test_websockets_and_files(site: Path) -> None:
    async def run() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/app.js", "headers": []}
        await StaticRouter("/", site).as_asgi()(scope, receive, send)  # type: ignore[arg-type]
        return sent

    assert [message["type"] for message in asyncio.run(run())] == ["websocket.close"]
