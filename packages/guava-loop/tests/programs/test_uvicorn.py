"""uvicorn in a process of its own, by its setting --loop; its protocols; FastAPI on it."""

import asyncio
import contextlib
import signal
import socket
import sys
import threading
import time

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

APPLICATION = """
import asyncio
import os
import threading
import time
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import FileResponse, StreamingResponse


@asynccontextmanager
async def lifespan(app):
    print("began on", type(asyncio.get_running_loop()).__module__, flush=True)
    yield
    print("ended well", flush=True)


app = FastAPI(lifespan=lifespan)


@app.get("/loop")
async def loop():
    return {"loop": type(asyncio.get_running_loop()).__module__, "pid": os.getpid()}


@app.get("/thread")
def thread(wait: float = 0):
    time.sleep(wait)
    return {"main": threading.current_thread() is threading.main_thread()}


@app.post("/count")
async def count(request: Request):
    return {"size": sum([len(part) async for part in request.stream()])}


@app.get("/stream")
async def stream(pieces: int):
    async def parts():
        for _ in range(pieces):
            yield b"x" * 65536
            await asyncio.sleep(0)

    return StreamingResponse(parts())


@app.get("/file")
async def file():
    return FileResponse(__file__)


@app.get("/slow")
async def slow():
    print("slow began", flush=True)
    await asyncio.sleep(0.5)
    return "finished"


@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    async for message in socket.iter_text():
        if message == "bye":
            await socket.close(4000)
            return
        await socket.send_text(message)
"""


@pytest.fixture(params=["asyncio", "guava_loop:new_event_loop"])
def loop(request):
    return request.param


@pytest.fixture
def uvicorn(serve, tmp_path, loop, authority):
    (tmp_path / "app.py").write_text(APPLICATION)

    def uvicorn(*options, tls=False):
        certificates = ["--ssl-certfile", str(authority.certificate)]
        certificates += ["--ssl-keyfile", str(authority.key)]
        return serve(
            *("uvicorn", "--loop", loop, "--fd", "{fd}", "--no-access-log"),
            *(certificates if tls else ()),
            *options,
            "app:app",
        )

    return uvicorn


def module_of(loop):
    return "asyncio.unix_events" if loop == "asyncio" else "guava_loop.loop"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_http(uvicorn, loop, http, tls, authority, tmp_path):
    server = uvicorn("--http", http, tls=tls)
    url = f"{'https' if tls else 'http'}://localhost:{server.port}"
    with httpx.Client(base_url=url, verify=authority.client(), trust_env=False) as client:
        assert client.get("/loop").json()["loop"] == module_of(loop)
        assert client.get("/thread").json() == {"main": False}
        assert client.post("/count", content=bytes(5_000_000)).json() == {"size": 5_000_000}
        pieces = (bytes(10_000) for _ in range(100))
        assert client.post("/count", content=pieces).json() == {"size": 1_000_000}
        assert len(client.get("/stream?pieces=100").content) == 100 * 65536
        assert client.get("/file").text == APPLICATION
        assert client.get("/never").status_code == 404
    code, said = server.ended()
    assert f"began on {module_of(loop)}" in said
    assert "ended well" in said
    assert "Traceback" not in said and "ResourceWarning" not in said
    assert code in (0, -signal.SIGTERM)  # uvicorn raises the signal again, once it has ended


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("ws", ["websockets", "websockets-sansio", "wsproto"])
def test_websocket(uvicorn, ws, tls, authority):
    server = uvicorn("--ws", ws, tls=tls)
    url = f"{'wss' if tls else 'ws'}://localhost:{server.port}/ws"
    with connect(url, ssl=authority.client() if tls else None, max_size=None) as socket:
        for message in ("hello", "ä" * 100_000, "x" * 3_000_000):
            socket.send(message)
            assert socket.recv() == message
        socket.send("bye")
        with pytest.raises(ConnectionClosed) as error:
            socket.recv()
        assert error.value.rcvd.code == 4000
    code, said = server.ended()
    assert "ended well" in said and "Traceback" not in said
    assert code in (0, -signal.SIGTERM)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_graceful_end(uvicorn, sent):
    """The request that is being answered is answered; an idle connection is closed."""
    server = uvicorn()
    url = f"http://127.0.0.1:{server.port}"
    with httpx.Client(base_url=url, trust_env=False) as idle:
        idle.get("/loop")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(httpx.get(f"{url}/slow").json()))
        asking.start()
        while "slow began" not in server.output.read_text():
            time.sleep(0.01)
        code, said = server.ended(sent)
        asking.join()
    assert answers == ["finished"]
    assert "ended well" in said and "Traceback (most" not in said.partition("ended well")[0]
    assert code in (0, -sent)


def test_many_at_once(uvicorn):
    server = uvicorn()
    url = f"http://127.0.0.1:{server.port}"

    async def main():
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            paths = ["/loop", "/thread", "/stream?pieces=3", "/file"] * 50
            answers = await asyncio.gather(*(client.get(path) for path in paths))
            assert {answer.status_code for answer in answers} == {200}

    asyncio.run(main())


def test_workers(uvicorn, loop, serve, tmp_path):
    """Several processes on one socket, spawned; each makes the loop that was asked for."""
    server = uvicorn("--workers", "2")
    url = f"http://127.0.0.1:{server.port}/loop"
    seen = set()
    deadline = time.monotonic() + 60
    while len(seen) < 2 and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(url, trust_env=False).json()
            assert answer["loop"] == module_of(loop)
            seen.add(answer["pid"])
    assert len(seen) == 2
    code, said = server.ended()
    assert said.count("ended well") == 2
    assert code in (0, -signal.SIGTERM)


def test_client_that_vanishes(uvicorn):
    """Resets in the middle of requests and answers leave a server that answers."""
    server = uvicorn()
    for text in (b"GET /stream?pieces=1000 HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /lo", b""):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                client.sendall(text)
                if b"stream" in text:
                    client.recv(1000)
    assert httpx.get(f"http://127.0.0.1:{server.port}/loop", trust_env=False).status_code == 200
    code, said = server.ended()
    assert "ended well" in said and "Traceback" not in said
    assert code in (0, -signal.SIGTERM)
