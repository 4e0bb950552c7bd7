"""Tornado on its asyncio platform: IOLoop, handlers, HTTP, WebSockets, TLS, child processes."""

import asyncio
import contextlib
import os
import socket
import threading

import pytest
import tornado.gen
import tornado.httpclient
import tornado.httpserver
import tornado.ioloop
import tornado.iostream
import tornado.netutil
import tornado.platform.asyncio
import tornado.process
import tornado.queues
import tornado.simple_httpclient
import tornado.tcpserver
import tornado.web
import tornado.websocket

BIG = os.urandom(1 << 20) * 4
PLAIN = {"Content-Type": "application/octet-stream"}


class Echo(tornado.web.RequestHandler):
    def get(self):
        self.write(f"{self.request.uri} {self.request.protocol}")

    def post(self):
        self.write(self.request.body)


class Stream(tornado.web.RequestHandler):
    async def get(self):
        for _ in range(64):
            self.write(b"x" * 65536)
            await self.flush()


@tornado.web.stream_request_body
class Count(tornado.web.RequestHandler):
    def prepare(self):
        self.size = 0

    def data_received(self, chunk):
        self.size += len(chunk)

    def put(self):
        self.write(str(self.size))


class Threaded(tornado.web.RequestHandler):
    async def get(self):
        loop = tornado.ioloop.IOLoop.current()
        name = await loop.run_in_executor(None, lambda: threading.current_thread().name)
        self.write(name)


class Socket(tornado.websocket.WebSocketHandler):
    def get_compression_options(self):
        return {} if self.request.path == "/deflate" else None

    def on_message(self, message):
        if message == "bye":
            self.close(4000, "farewell")
        else:
            self.write_message(message, binary=isinstance(message, bytes))


HANDLERS = [
    ("/echo.*", Echo),
    ("/stream", Stream),
    ("/count", Count),
    ("/thread", Threaded),
    ("/ws|/deflate", Socket),
]


@contextlib.asynccontextmanager
async def serving(**options):
    (listening,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
    app = tornado.web.Application(
        HANDLERS, log_function=lambda _: None, websocket_max_message_size=1 << 30
    )
    server = tornado.httpserver.HTTPServer(app, max_body_size=1 << 30, **options)
    server.add_sockets([listening])
    try:
        yield listening.getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


@contextlib.contextmanager
def client():
    client = tornado.simple_httpclient.SimpleAsyncHTTPClient(
        force_instance=True, max_body_size=1 << 30, max_clients=100
    )
    try:
        yield client
    finally:
        client.close()


def test_http(run, kind):
    async def main():
        loop = tornado.ioloop.IOLoop.current()
        ours = type(loop.asyncio_loop).__module__.startswith("guava_loop")
        assert ours == kind.startswith("guava")
        async with serving() as port:
            with client() as http:
                url = f"http://127.0.0.1:{port}"
                answer = await http.fetch(f"{url}/echo?a=b")
                assert answer.body == b"/echo?a=b http"
                answer = await http.fetch(f"{url}/echo", method="POST", body=BIG, headers=PLAIN)
                assert answer.body == BIG
                answer = await http.fetch(f"{url}/stream")
                assert len(answer.body) == 64 * 65536
                answer = await http.fetch(f"{url}/count", method="PUT", body=BIG)
                assert answer.body == b"%d" % len(BIG)
                assert (await http.fetch(f"{url}/thread")).body != b"MainThread"
                with pytest.raises(tornado.httpclient.HTTPClientError) as error:
                    await http.fetch(f"{url}/never")
                assert error.value.code == 404
                many = [http.fetch(f"{url}/echo?{number}") for number in range(200)]
                bodies = [answer.body for answer in await asyncio.gather(*many)]
                assert bodies == [b"/echo?%d http" % number for number in range(200)]

    run(main)


def test_tls(run, authority):
    async def main():
        async with serving(ssl_options=authority.server()) as port:
            with client() as http:
                url = f"https://localhost:{port}/echo"
                options = {"ssl_options": authority.client()}
                answer = await http.fetch(url, **options)
                assert answer.body == b"/echo https"
                answer = await http.fetch(url, method="POST", body=BIG, headers=PLAIN, **options)
                assert answer.body == BIG

    run(main)


@pytest.mark.parametrize("path", ["ws", "deflate"])
def test_websocket(run, path):
    async def main():
        async with serving() as port:
            connection = await tornado.websocket.websocket_connect(
                f"ws://127.0.0.1:{port}/{path}",
                max_message_size=1 << 30,
                compression_options={} if path == "deflate" else None,
            )
            for message in ("hello", BIG, "ä" * 100_000):
                await connection.write_message(message, binary=isinstance(message, bytes))
                assert await connection.read_message() == message
            await connection.write_message("bye")
            assert await connection.read_message() is None
            assert (connection.close_code, connection.close_reason) == (4000, "farewell")

    run(main)


def test_streams(run):
    """IOStream: its own buffers over add_handler() and update_handler()."""

    async def main():
        class Lines(tornado.tcpserver.TCPServer):
            async def handle_stream(self, stream, address):
                with contextlib.suppress(tornado.iostream.StreamClosedError):
                    while True:
                        line = await stream.read_until(b"\n")
                        await stream.write(line.upper())

        (listening,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server = Lines()
        server.add_sockets([listening])
        stream = tornado.iostream.IOStream(socket.socket())
        await stream.connect(listening.getsockname())
        for text in (b"hello\n", b"x" * 3_000_000 + b"\n"):
            sending = asyncio.ensure_future(stream.write(text))
            assert await stream.read_until(b"\n") == text.upper()
            await sending
        stream.close()
        server.stop()
        with pytest.raises(tornado.iostream.StreamClosedError):
            await tornado.iostream.IOStream(socket.socket()).connect(("127.0.0.1", 1))
        listening.close()

    run(main)


def test_handlers(run):
    async def main():
        loop = tornado.ioloop.IOLoop.current()
        first, second = socket.socketpair()
        first.setblocking(False)
        seen = asyncio.Queue()
        loop.add_handler(first, lambda fd, events: seen.put_nowait((fd, events)), loop.WRITE)
        assert await seen.get() == (first, loop.WRITE)
        loop.update_handler(first, loop.READ)
        while not seen.empty():
            seen.get_nowait()
        second.send(b"x")
        assert await seen.get() == (first, loop.READ)
        with pytest.raises(ValueError):
            loop.add_handler(first.fileno(), lambda *_: None, loop.READ)
        loop.remove_handler(first)
        first.close()
        second.close()

    run(main)


def test_callbacks(run):
    async def main():
        loop = tornado.ioloop.IOLoop.current()
        order = asyncio.Queue()
        loop.add_callback(order.put_nowait, "callback")
        loop.call_later(0.01, order.put_nowait, "later")
        cancelled = loop.call_later(0.001, order.put_nowait, "never")
        loop.remove_timeout(cancelled)
        threading.Thread(target=loop.add_callback, args=(order.put_nowait, "thread")).start()
        got = {await order.get() for _ in range(3)}
        assert got == {"callback", "later", "thread"}
        ticks = []
        periodic = tornado.ioloop.PeriodicCallback(lambda: ticks.append(1), 1)
        periodic.start()
        while len(ticks) < 10:
            await tornado.gen.sleep(0.001)
        periodic.stop()
        queue = tornado.queues.Queue(maxsize=2)

        async def produce():
            for number in range(100):
                await queue.put(number)

        producing = asyncio.create_task(produce())
        assert [await queue.get() for _ in range(100)] == list(range(100))
        await producing
        with pytest.raises(tornado.gen.TimeoutError):
            await tornado.gen.with_timeout(loop.time() + 0.01, asyncio.Future())

    run(main)


def test_subprocess(run):
    async def main():
        tornado.process.Subprocess.initialize()
        process = tornado.process.Subprocess(
            ["cat"],
            stdin=tornado.process.Subprocess.STREAM,
            stdout=tornado.process.Subprocess.STREAM,
        )
        sending = asyncio.ensure_future(process.stdin.write(BIG))
        assert await process.stdout.read_bytes(len(BIG)) == BIG
        await sending
        process.stdin.close()
        assert await process.wait_for_exit() == 0
        process.stdout.close()
        # It is of the class which loop hears of children: the next test has another one.
        tornado.process.Subprocess.uninitialize()

    run(main)


def test_loop_of_its_own(factory):
    """IOLoop over a loop that Tornado neither made nor runs by asyncio's runner."""
    loop = tornado.platform.asyncio.AsyncIOLoop(asyncio_loop=factory(), make_current=False)
    assert loop.run_sync(lambda: tornado.gen.sleep(0.001)) is None

    async def fail():
        raise ValueError("seen")

    with pytest.raises(ValueError, match="seen"):
        loop.run_sync(fail)
    with pytest.raises(TimeoutError):
        loop.run_sync(asyncio.Event().wait, timeout=0.01)
    loop.close()
    assert loop.asyncio_loop.is_closed()
