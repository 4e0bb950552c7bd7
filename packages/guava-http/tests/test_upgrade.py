"""A connection that goes on in another protocol: a tiny one, that answers each line."""

import asyncio
import gc
import weakref

import pytest
from guava_http import Upgrade

ASK = (
    b"GET /echo HTTP/1.1\r\nHost: a\r\n"
    b"Connection: keep-alive, Upgrade\r\nUpgrade: other, echo\r\n\r\n"
)


class Echo(asyncio.Protocol):
    def __init__(self):
        self.told = []
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"welcome\r\n")

    def data_received(self, data):
        self.told.append(data)
        self.transport.write(data.upper())

    def eof_received(self):
        self.transport.write(b"bye\r\n")

    def connection_lost(self, exc):
        self.told.append(exc)


class Handler:
    """Keeps the protocols that it has made."""

    def __init__(self, factory=Echo, later=False):
        self.made = []
        self.factory = factory
        self.later = later

    def make(self):
        self.made.append(self.factory())
        return self.made[-1]

    def __call__(self, request):
        if request.path != "/echo":
            return "hello"
        answer = Upgrade("echo", self.make, headers={"X-Name": "value"})
        return self.wait(answer) if self.later else answer

    async def wait(self, answer):
        await asyncio.sleep(0.001)
        return answer


@pytest.mark.parametrize("later", [False, True])
def test_what_follows_is_the_protocols(wire, later):
    handler = Handler(later=later)

    async def scenario(server, connect):
        client = await connect()
        assert (await client.get()).body == b"hello"
        # Lines that come with the request, and one that looks like another.
        await client.send(ASK + b"one\r\nGET / HTTP/1.1\r\n\r\n")
        answer = await client.head()
        assert (answer.status, answer["Upgrade"], answer["Connection"]) == (101, "echo", "Upgrade")
        assert answer["X-Name"] == "value"
        assert "Content-Length" not in answer
        for line in ("welcome", "ONE", "GET / HTTP/1.1", ""):
            assert await client.line() == line
        await client.send(b"two\r\n")
        assert await client.line() == "TWO"
        assert (server.connections, server.answered) == (1, 2)
        # Others are served meanwhile.
        assert (await (await connect()).get()).status == 200
        client.sock.shutdown(1)
        assert await client.end() == b"bye\r\n"
        await wire.until(lambda: server.connections == 1)

    wire.run(handler, scenario)
    (echo,) = handler.made
    assert b"".join(echo.told[:-1]) == b"one\r\nGET / HTTP/1.1\r\n\r\ntwo\r\n"
    assert echo.told[-1] is None
    assert echo.transport.is_closing()
    echo.transport.write(b"nobody reads this")
    echo.transport.close()


def test_who_did_not_ask_is_told_so(whole):
    async def scenario(server, connect):
        client = await connect()
        for fields in ("", "Upgrade: echo\r\n", "Connection: upgrade\r\nUpgrade: websocket\r\n"):
            assert (await client.get("/echo", fields)).status == 400
        assert (await client.get()).status == 200
        # Whoever speaks HTTP/1.0 has not asked, whatever is said (RFC 9110, 7.8).
        await client.send(ASK.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert (await client.answer()).status == 400

    handler = Handler()
    whole.run(handler, scenario)
    assert handler.made == []


def test_backpressure_both_ways(whole):
    class Large(Echo):
        def pause_writing(self):
            self.told.append("pause")

        def resume_writing(self):
            self.told.append("resume")

        def data_received(self, data):
            if data == b"give":
                for _ in range(20):
                    self.transport.write(b"x" * 400_000)
                self.transport.pause_reading()
            else:
                self.transport.write(b"got")

    handler = Handler(Large)

    async def scenario(server, connect):
        client = await connect(4096)
        await client.send(ASK)
        assert (await client.head()).status == 101
        assert await client.line() == "welcome"
        await client.send(b"give")
        await whole.until(lambda: handler.made[0].told == ["pause"])
        assert handler.made[0].transport.get_write_buffer_size() > 2_000_000
        await client.send(b"more")
        await client.exactly(8_000_000)
        await whole.until(lambda: handler.made[0].told == ["pause", "resume"])
        handler.made[0].transport.resume_reading()
        assert await client.exactly(3) == b"got"
        handler.made[0].transport.close()
        assert await client.end() == b""

    whole.run(handler, scenario)


def test_a_stop_tells_it_and_waits(whole):
    class Polite(Echo):
        def server_closing(self):
            self.transport.write(b"going\r\n")
            self.transport.close()

    handler = Handler(Polite)

    async def scenario(server, connect):
        client = await connect()
        await client.send(ASK)
        assert (await client.head()).status == 101
        await whole.until(lambda: handler.made[0].transport is not None)
        await server.close()
        assert await client.end() == b"welcome\r\ngoing\r\n"

    whole.run(handler, scenario)


def test_a_stop_cuts_it_off_at_the_deadline(whole):
    handler = Handler()

    async def scenario(server, connect):
        client = await connect()
        await client.send(ASK)
        assert (await client.head()).status == 101
        await server.close(0.1)
        assert server.connections == 0
        await whole.until(lambda: handler.made[0].told)
        with pytest.raises(ConnectionResetError):
            while await asyncio.get_running_loop().sock_recv(client.sock, 100):
                pass

    whole.run(handler, scenario)
    assert isinstance(handler.made[0].told[-1], ConnectionError)


def test_a_client_that_resets(whole):
    handler = Handler()

    async def scenario(server, connect):
        for n in range(20):
            client = await connect()
            await client.send(ASK + b"x" * n)
            await whole.turns(n)
            client.reset()
            await whole.until(lambda n=n: server.accepted == n + 1 and server.connections == 0)
        assert (await (await connect()).get()).status == 200

    whole.run(handler, scenario)


@pytest.mark.parametrize("method", ["connection_made", "data_received", "eof_received"])
def test_a_protocol_that_raises_ends_its_connection(whole, method):
    reported = []

    class Wrong(Echo):
        pass

    def fail(self, *args):
        raise ZeroDivisionError

    setattr(Wrong, method, fail)

    async def scenario(server, connect):
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: reported.append(context["exception"])
        )
        client = await connect()
        await client.send(ASK + b"x")
        client.sock.shutdown(1)
        await client.end()
        await whole.until(lambda: server.accepted == 1 and server.connections == 0)
        assert (await (await connect()).get()).status == 200

    whole.run(Handler(Wrong), scenario)
    assert [type(error) for error in reported] == [ZeroDivisionError]


def test_a_factory_that_raises_is_an_error_of_the_handler(whole, caplog):
    def factory():
        raise ZeroDivisionError

    async def scenario(server, connect):
        client = await connect()
        await client.send(ASK)
        assert (await client.answer()).status == 500
        assert (await client.get()).status == 200

    whole.run(Handler(factory), scenario)
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError]


def test_nothing_is_kept(whole):
    refs = []

    class Counted(Echo):
        def __init__(self):
            super().__init__()
            refs.append(weakref.ref(self))

    async def scenario(server, connect):
        for _ in range(10):
            client = await connect()
            await client.send(ASK)
            assert (await client.head()).status == 101
            client.close()
        await whole.until(lambda: server.connections == 0)

    handler = Handler(Counted)
    whole.run(handler, scenario)
    handler.made.clear()
    gc.collect()
    assert [ref() for ref in refs] == [None] * 10


def test_wrong_arguments():
    with pytest.raises(ValueError, match="name of a protocol"):
        Upgrade("a b", Echo)
    with pytest.raises(TypeError, match="callable"):
        Upgrade("echo", None)
    for headers in ({"X": "a\r\nb"}, {"Connection": "close"}, {"Content-Length": "1"}):
        with pytest.raises(ValueError):
            Upgrade("echo", Echo, headers=headers)
    assert repr(Upgrade("echo/2", Echo)) == "<Upgrade to echo/2>"
