"""aiohttp, client and server: HTTP, streams, TLS, WebSockets, keep-alive, the end of a server."""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

BIG = bytes(range(256)) * 4 * 4096  # 4 MiB: more than any socket's buffers


async def hello(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.method} {request.path_qs} {await request.text()}")


async def digest(request: web.Request) -> web.Response:
    """Reads the body in pieces; says what came."""
    seen = hashlib.sha256()
    async for piece in request.content.iter_chunked(10_000):
        seen.update(piece)
    return web.json_response({"sha256": seen.hexdigest(), "encoding": request.headers.get("TE")})


async def stream(request: web.Request) -> web.StreamResponse:
    """The body in pieces, as long as was asked for: drain() waits for a slow reader."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(int(request.query["pieces"])):
        await response.write(b"x" * 65536)
    await response.write_eof()
    return response


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=0, heartbeat=10)
    await socket.prepare(request)
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            if message.data == "bye":
                await socket.close(code=4001, message=b"farewell")
            else:
                await socket.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def peer(request: web.Request) -> web.Response:
    """From where: to see which requests share a connection."""
    return web.Response(text=str(request.transport.get_extra_info("peername")))


def application() -> web.Application:
    app = web.Application(client_max_size=0)
    app.router.add_get("/stream", stream)
    app.router.add_get("/ws", echo)
    app.router.add_get("/peer", peer)
    app.router.add_post("/digest", digest)
    app.router.add_route("*", "/{rest:.*}", hello)
    return app


@contextlib.asynccontextmanager
async def serving(
    app: web.Application, **options: Any
) -> AsyncIterator[tuple[web.AppRunner, int]]:
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, **options)
        await site.start()
        yield runner, runner.addresses[0][1]
    finally:
        await runner.cleanup()


def test_methods_and_bodies(run):
    async def main():
        async with serving(application()) as (_, port), aiohttp.ClientSession() as session:
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
                url = f"http://127.0.0.1:{port}/a/b?c=d"
                async with session.request(method, url, data=f"sent by {method}") as response:
                    assert response.status == 200
                    assert await response.text() == f"{method} /a/b?c=d sent by {method}"

    run(main)


@pytest.mark.parametrize("pieces", [1, 64])
def test_upload(run, pieces):
    """pieces=1: with a length, in one write; 64: chunked, from an iterator."""

    async def parts():
        for start in range(0, len(BIG), len(BIG) // pieces):
            yield BIG[start : start + len(BIG) // pieces]

    async def main():
        async with serving(application()) as (_, port), aiohttp.ClientSession() as session:
            body = BIG if pieces == 1 else parts()
            async with session.post(f"http://127.0.0.1:{port}/digest", data=body) as response:
                assert (await response.json())["sha256"] == hashlib.sha256(BIG).hexdigest()

    run(main)


def test_download_in_pieces_with_a_slow_reader(run):
    async def main():
        async with serving(application()) as (_, port), aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/stream?pieces=128") as response:
                size = 0
                async for piece in response.content.iter_chunked(100_000):
                    size += len(piece)
                    if size < 1_000_000:
                        await asyncio.sleep(0.001)
                assert size == 128 * 65536

    run(main)


def test_reader_that_goes_away_ends_the_handler(run):
    """The server writes on and on; the client leaves in the middle."""
    over: list[BaseException] = []

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        except (ConnectionError, asyncio.CancelledError) as error:
            over.append(error)
            raise
        return response

    async def main():
        app = web.Application()
        app.router.add_get("/", endless)
        async with serving(app) as (_, port), aiohttp.ClientSession() as session:
            response = await session.get(f"http://127.0.0.1:{port}/")
            await response.content.readexactly(100_000)
            response.close()
            while not over:
                await asyncio.sleep(0.001)

    run(main)
    assert len(over) == 1


def test_keep_alive_uses_one_connection(run):
    async def main():
        async with serving(application()) as (_, port), aiohttp.ClientSession() as session:
            peers = set()
            for _ in range(20):
                async with session.get(f"http://127.0.0.1:{port}/peer") as response:
                    peers.add(await response.text())
            assert len(peers) == 1
            close = {"Connection": "close"}
            for _ in range(3):
                async with session.get(f"http://127.0.0.1:{port}/peer", headers=close) as response:
                    peers.add(await response.text())
            # The first goes over the connection there was; each later one makes its own.
            assert len(peers) == 3

    run(main)


def test_many_requests_at_once(run):
    async def main():
        connector = aiohttp.TCPConnector(limit=50)
        async with serving(application()) as (_, port):
            async with aiohttp.ClientSession(connector=connector) as session:

                async def one(number: int) -> str:
                    url = f"http://127.0.0.1:{port}/{number}"
                    async with session.post(url, data="x" * number) as response:
                        return await response.text()

                answers = await asyncio.gather(*(one(number) for number in range(500)))
                assert answers == [f"POST /{n} {'x' * n}" for n in range(500)]

    run(main)


@pytest.mark.parametrize("compress", [0, 15])
def test_websocket(run, compress):
    async def main():
        async with serving(application()) as (_, port), aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}/ws"
            async with session.ws_connect(url, compress=compress, max_msg_size=0) as socket:
                await socket.send_str("hello")
                assert await socket.receive_str() == "hello"
                await socket.send_bytes(BIG)
                assert await socket.receive_bytes() == BIG
                await socket.ping(b"are you there")
                for number in range(200):
                    await socket.send_str(str(number))
                assert [await socket.receive_str() for _ in range(200)] == [
                    str(number) for number in range(200)
                ]
                await socket.send_str("bye")
                end = await socket.receive()
                assert end.type is aiohttp.WSMsgType.CLOSE
                assert (end.data, end.extra) == (4001, "farewell")

    run(main)


def test_tls(run, authority):
    async def main():
        async with serving(application(), ssl_context=authority.server()) as (_, port):
            connector = aiohttp.TCPConnector(ssl=authority.client())
            async with aiohttp.ClientSession(connector=connector) as session:
                url = f"https://localhost:{port}"
                async with session.post(f"{url}/digest", data=BIG) as response:
                    assert (await response.json())["sha256"] == hashlib.sha256(BIG).hexdigest()
                async with session.get(f"{url}/stream?pieces=64") as response:
                    assert len(await response.read()) == 64 * 65536
                async with session.ws_connect(f"{url}/ws", max_msg_size=0) as socket:
                    await socket.send_bytes(BIG)
                    assert await socket.receive_bytes() == BIG

    run(main)


def test_tls_without_trust(run, authority):
    async def main():
        async with serving(application(), ssl_context=authority.server()) as (_, port):
            async with aiohttp.ClientSession() as session:
                with pytest.raises(aiohttp.ClientConnectorCertificateError) as error:
                    await session.get(f"https://localhost:{port}/")
                assert isinstance(error.value.certificate_error, ssl.SSLCertVerificationError)

    run(main, told=("Error on transport creation for incoming connection",))


def test_file(run, tmp_path: Path):
    """aiohttp sends files by loop.sendfile()."""
    (tmp_path / "file").write_bytes(BIG)

    async def main():
        app = web.Application()
        app.router.add_static("/", tmp_path)
        async with serving(app) as (_, port), aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/file") as response:
                assert await response.read() == BIG
            part = {"Range": "bytes=100000-300000"}
            async with session.get(f"http://127.0.0.1:{port}/file", headers=part) as response:
                assert response.status == 206
                assert await response.read() == BIG[100000:300001]

    run(main)


def test_unix_socket(run, tmp_path: Path):
    async def main():
        runner = web.AppRunner(application(), access_log=None)
        await runner.setup()
        await web.UnixSite(runner, tmp_path / "socket").start()
        connector = aiohttp.UnixConnector(path=str(tmp_path / "socket"))
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.post("http://localhost/digest", data=BIG) as response:
                assert (await response.json())["sha256"] == hashlib.sha256(BIG).hexdigest()
        await runner.cleanup()

    run(main)


def test_graceful_end(run):
    """cleanup() lets the request that is being answered finish, and takes no new ones."""

    async def main():
        begun, on = asyncio.Event(), asyncio.Event()

        async def slow(request: web.Request) -> web.Response:
            begun.set()
            await on.wait()
            return web.Response(text="finished")

        app = web.Application()
        app.router.add_get("/", slow)
        ended = []
        app.on_cleanup.append(lambda _: asyncio.sleep(0, ended.append("cleanup")))
        async with serving(app) as (runner, port), aiohttp.ClientSession() as session:
            request = asyncio.create_task(session.get(f"http://127.0.0.1:{port}/"))
            await begun.wait()
            cleaning = asyncio.create_task(runner.cleanup())
            while runner.sites:
                await asyncio.sleep(0.001)
            with pytest.raises(aiohttp.ClientConnectorError):
                async with aiohttp.ClientSession() as late:
                    await late.get(f"http://127.0.0.1:{port}/")
            assert not cleaning.done()
            on.set()
            async with await request as response:
                assert await response.text() == "finished"
            await cleaning
            assert ended == ["cleanup"]

    run(main)


def test_time_out_and_cancellation(run):
    async def main():
        app = web.Application()
        app.router.add_get("/", lambda _: asyncio.sleep(3600))
        async with serving(app) as (_, port):
            short = aiohttp.ClientTimeout(total=0.05)
            async with aiohttp.ClientSession(timeout=short) as session:
                with pytest.raises(asyncio.TimeoutError):
                    await session.get(f"http://127.0.0.1:{port}/")
            async with aiohttp.ClientSession() as session:
                task = asyncio.create_task(session.get(f"http://127.0.0.1:{port}/"))
                await asyncio.sleep(0.02)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    run(main)


def test_garbage_is_answered(run):
    """What is not HTTP gets a 400 and the end of the connection."""

    async def main():
        async with serving(application()) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x00\x01\x02 this is not HTTP\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.0 400 Bad Request")
            writer.close()
            await writer.wait_closed()

    run(main)
