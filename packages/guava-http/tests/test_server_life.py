"""How a server starts and ends: where it listens, what it says when it cannot, who is waited for,
and serve() with its signals."""

import asyncio
import errno
import gc
import signal
import socket
import subprocess
import sys
import weakref

import guava_http
import guava_loop
import pytest
from guava_http import Request, Server, Timeouts


def hello(request):
    return "hello"


def test_the_address(native):
    server = Server(hello, port=1234)
    assert (server.address, server.port) == ("http://127.0.0.1:1234", 1234)

    async def scenario(server, connect):
        assert server.port == server.sockets[0].getsockname()[1] != 0
        assert server.address == f"http://127.0.0.1:{server.port}"
        assert server.address in repr(server)

    native.run(hello, scenario)


def test_a_port_in_use(whole):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        async def main():
            server = whole.server(hello, port=port)
            with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port}.*in use") as caught:
                await server.start()
            assert caught.value.errno == errno.EADDRINUSE
            assert server.sockets == ()

        with asyncio.Runner(loop_factory=whole.loop_factory) as runner:
            runner.run(main())


def test_a_host_without_an_address(native):
    async def main():
        with pytest.raises(OSError, match=r"no\.such\.host\.invalid:8000"):
            await Server(hello, "no.such.host.invalid").start()

    guava_loop.run(main())


def test_addresses_that_the_machine_has_not_are_left_out(native, monkeypatch):
    """As where "localhost" has an IPv6 address and the machine has no IPv6."""
    real = socket.getaddrinfo("127.0.0.1", 0, type=socket.SOCK_STREAM)
    strange = socket.getaddrinfo("192.0.2.1", 0, type=socket.SOCK_STREAM)  # RFC 5737
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answers.pop(0))

    async def main():
        async with Server(hello, "name", 0) as server:
            assert [sock.getsockname()[0] for sock in server.sockets] == ["127.0.0.1"]
        with pytest.raises(OSError, match="name:8000") as caught:
            await Server(hello, "name").start()
        assert caught.value.errno == errno.EADDRNOTAVAIL

    answers = [strange + real, strange]
    guava_loop.run(main())


def test_every_address_of_a_name_has_one_port(native):
    async def main():
        async with Server(hello, None, 0) as server:
            assert len({sock.getsockname()[1] for sock in server.sockets}) == 1

    guava_loop.run(main())


def test_sockets_that_are_given(whole, tmp_path):
    path = str(tmp_path / "socket")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)

    async def scenario(server, connect):
        assert server.address == f"unix:{path}"
        answer = await (await connect()).get()
        assert answer.body == b"''"  # clients seldom have names

    whole.run(lambda request: repr(request.peer), scenario, sockets=[sock])
    assert sock.fileno() == -1


def test_two_servers_on_one_loop(whole):
    async def scenario(server, connect):
        other = whole.server(lambda request: "other")
        async with other:
            reader, writer = await asyncio.open_connection("127.0.0.1", other.port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            assert (await reader.read()).endswith(b"other")
            writer.close()
            await writer.wait_closed()
        assert (await (await connect()).get()).body == b"hello"

    whole.run(hello, scenario)


def test_a_server_starts_once(native):
    async def scenario(server, connect):
        with pytest.raises(RuntimeError):
            await server.start()
        await server.close()
        with pytest.raises(RuntimeError):
            await server.start()
        await server.close()
        await server.wait()

    native.run(hello, scenario)


def test_wrong_arguments():
    with pytest.raises(TypeError, match="callable"):
        Server(None)
    with pytest.raises(ValueError, match="transport"):
        Server(hello, transport="fast")
    Server(hello, timeouts=Timeouts(keep_alive=None, head=None, body=None, write=None))


def test_native_needs_a_guava_loop():
    async def main():
        with pytest.raises(RuntimeError, match=r"guava_loop\.Loop"):
            await Server(hello, port=0, transport="native").start()

    asyncio.run(main())


def test_close_ends_idle_connections_and_waits_for_others(whole):
    release = asyncio.Event()

    async def handler(request):
        if request.path == "/slow":
            await release.wait()
        return "done"

    async def scenario(server, connect):
        idle, slow, fresh = [await connect() for _ in range(3)]
        await idle.get()
        await slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.until(lambda: server._core.tasks == 1)
        closing = asyncio.create_task(server.close(20))
        assert await idle.end() == b""
        assert await fresh.end() == b""
        with pytest.raises(OSError):
            await connect_again(server)
        assert not closing.done()
        release.set()
        answer = await slow.answer()
        assert (answer.body, answer["Connection"]) == (b"done", "close")
        assert await slow.end() == b""
        await closing

    async def connect_again(server):
        assert server.sockets == ()
        raise OSError

    whole.run(handler, scenario)


def test_close_cuts_off_what_is_left_after_the_grace(whole):
    async def handler(request):
        await asyncio.sleep(3600)

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.until(lambda: server._core.tasks == 1)
        await server.close(0.05)
        assert server.connections == 0
        assert await client.end() == b""

    whole.run(handler, scenario)


def test_a_handler_can_close_its_server(whole):
    servers = []

    async def handler(request):
        servers.append(asyncio.ensure_future(servers[0].close()))
        return "last words"

    async def scenario(server, connect):
        servers.append(server)
        client = await connect()
        assert (await client.get()).body == b"last words"
        assert await client.end() == b""
        await servers[1]

    whole.run(handler, scenario)


def test_serve_forever_ends_with_its_task(whole):
    async def main():
        server = whole.server(hello)
        task = asyncio.create_task(server.serve_forever())
        await whole.until(lambda: server.sockets)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert repr(server) == "<guava_http.Server, closed>"

    with asyncio.Runner(loop_factory=whole.loop_factory) as runner:
        runner.run(main())


def test_a_server_that_was_not_closed_warns(whole):
    async def main():
        server = whole.server(hello)
        await server.start()
        sock = socket.create_connection(("127.0.0.1", server.port))
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.until(lambda: server.answered)
        return server, sock

    with asyncio.Runner(loop_factory=whole.loop_factory) as runner:
        server, sock = runner.run(main())
    native = weakref.ref(server)
    with pytest.warns(ResourceWarning, match="never closed"):
        del server
        gc.collect()
    assert native() is None
    sock.close()


def test_a_server_and_its_handler_are_collected_together():
    class App:
        def __init__(self):
            self.server = Server(self.handle)

        def handle(self, request):
            return ""

    app = weakref.ref(App())
    gc.collect()
    assert app() is None


SERVE = """
import asyncio, sys
import guava_http

async def handler(request):
    if request.path == "/slow":
        print("waiting", flush=True)
        await asyncio.sleep(float(sys.argv[1]))
    return "answered"

guava_http.serve(handler, port=0, started=lambda server: print(server.port, flush=True))
print("ended", flush=True)
"""


def start_serving(pause: float = 0.0):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(pause)], stdout=subprocess.PIPE, text=True
    )
    return process, int(process.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_cleanly_on_a_signal(number):
    process, port = start_serving()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(1000).endswith(b"answered")
        process.send_signal(number)
        assert sock.recv(1000) == b""
    output, _ = process.communicate(timeout=30)
    assert (output, process.returncode) == ("ended\n", 0)


def test_serve_answers_what_is_in_work_when_a_signal_comes():
    process, port = start_serving(0.3)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        answer = sock.makefile("rb").read()
    assert b"Connection: close" in answer
    assert answer.endswith(b"answered")
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def test_a_second_signal_ends_at_once():
    process, port = start_serving(3600)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        while True:  # until the listening socket is gone, the first has not been heeded
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                break
        process.send_signal(signal.SIGTERM)
        _output, _ = process.communicate(timeout=30)
    assert process.returncode == 0


def test_serve_says_that_a_port_is_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            guava_http.serve(hello, port=port)


def test_requests_made_by_hand_go_to_the_same_handler():
    def handler(request):
        return request.path

    assert handler(Request(method="GET", url="/a?b=c")) == "/a"
