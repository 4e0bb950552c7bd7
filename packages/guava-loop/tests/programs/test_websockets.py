"""websockets, client and server: pings, large messages, compression, fragments, closes."""

import asyncio
import os

import pytest
from websockets.asyncio.client import connect, unix_connect
from websockets.asyncio.server import broadcast, serve, unix_serve
from websockets.exceptions import (
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidStatus,
)

BIG = os.urandom(1 << 20) * 4  # 4 MiB, and no gift to the compressor


async def echo(socket):
    async for message in socket:
        await socket.send(message)


def port_of(server):
    return server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages(run, compression):
    async def main():
        options = {"compression": compression, "max_size": None}
        async with serve(echo, "127.0.0.1", 0, **options) as server:
            async with connect(f"ws://127.0.0.1:{port_of(server)}", **options) as socket:
                for message in ("", "hello", b"", b"\x00\xff", "ä" * 100_000, BIG):
                    await socket.send(message)
                    assert await socket.recv() == message

    run(main)


def test_fragments(run):
    async def main():
        async def parts():
            for number in range(100):
                yield bytes([number]) * 1000

        async with serve(echo, "127.0.0.1", 0) as server:
            async with connect(f"ws://127.0.0.1:{port_of(server)}") as socket:
                await socket.send(parts())
                assert await socket.recv() == b"".join([part async for part in parts()])

    run(main)


def test_pings(run):
    async def main():
        async with serve(echo, "127.0.0.1", 0, ping_interval=0.01) as server:
            async with connect(f"ws://127.0.0.1:{port_of(server)}") as socket:
                for _ in range(5):
                    assert await (await socket.ping()) >= 0
                (served,) = server.connections
                while not served.latency:  # the server's own pings
                    await asyncio.sleep(0.001)

    run(main)


def test_unanswered_pings_end_the_connection(run):
    async def main():
        over = asyncio.get_running_loop().create_future()

        async def wait(socket):
            try:
                await socket.recv()
            except ConnectionClosedError as error:
                over.set_result(error.sent.code)

        impatient = {"ping_interval": 0.02, "ping_timeout": 0.05, "close_timeout": 0.05}
        async with serve(wait, "127.0.0.1", 0, **impatient) as server:
            socket = await connect(f"ws://127.0.0.1:{port_of(server)}", ping_interval=None)
            socket.transport.pause_reading()
            assert await over == 1011
            socket.transport.abort()
            await socket.wait_closed()

    run(main)


@pytest.mark.parametrize("closing", ["client", "server"])
def test_close_codes(run, closing):
    async def main():
        async def leave(socket):
            await socket.close(4321, "enough")

        handler = echo if closing == "client" else leave
        async with serve(handler, "127.0.0.1", 0) as server:
            socket = await connect(f"ws://127.0.0.1:{port_of(server)}")
            if closing == "client":
                await socket.close(4321, "enough")
            with pytest.raises((ConnectionClosedOK, ConnectionClosedError)) as error:
                await socket.recv()
            assert (error.value.rcvd.code, error.value.rcvd.reason) == (4321, "enough")
            assert socket.close_code == 4321
            await socket.wait_closed()

    run(main)


def test_connection_that_is_cut(run):
    """No closing handshake: the peer sees 1006."""

    async def main():
        ends = []

        async def wait(socket):
            await socket.wait_closed()
            ends.append(socket.close_code)

        async with serve(wait, "127.0.0.1", 0) as server:
            socket = await connect(f"ws://127.0.0.1:{port_of(server)}")
            socket.transport.abort()
            while not ends:
                await asyncio.sleep(0.001)
            with pytest.raises(ConnectionClosedError):
                await socket.send("too late")
        assert ends == [1006]

    run(main)


def test_message_too_big(run):
    async def main():
        async with serve(echo, "127.0.0.1", 0, max_size=1000) as server:
            async with connect(f"ws://127.0.0.1:{port_of(server)}") as socket:
                await socket.send("x" * 1001)
                with pytest.raises(ConnectionClosedError) as error:
                    await socket.recv()
                assert error.value.rcvd.code == 1009

    run(main)


def test_slow_reader_holds_the_writer(run):
    """Back pressure: send() waits when nobody reads."""

    async def main():
        sent = 0

        async def flood(socket):
            nonlocal sent
            for _ in range(400):
                await socket.send(bytes(100_000))
                sent += 1

        async with serve(flood, "127.0.0.1", 0, compression=None) as server:
            async with connect(f"ws://127.0.0.1:{port_of(server)}", compression=None) as socket:
                before = -1
                while before != sent:  # the buffers fill
                    before = sent
                    await asyncio.sleep(0.1)
                assert sent < 400
                for _ in range(400):
                    assert len(await socket.recv()) == 100_000

    run(main)


def test_broadcast_to_many(run):
    async def main():
        async with serve(echo, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{port_of(server)}"
            sockets = await asyncio.gather(*(connect(url) for _ in range(50)))
            broadcast(server.connections, "all of you")
            assert await asyncio.gather(*(each.recv() for each in sockets)) == ["all of you"] * 50
            await asyncio.gather(*(each.close() for each in sockets))

    run(main)


def test_tls(run, authority):
    async def main():
        async with serve(echo, "localhost", 0, ssl=authority.server(), max_size=None) as server:
            url = f"wss://localhost:{port_of(server)}"
            async with connect(url, ssl=authority.client(), max_size=None) as socket:
                await socket.send(BIG)
                assert await socket.recv() == BIG

    run(main)


def test_unix_socket(run, tmp_path):
    async def main():
        async with unix_serve(echo, str(tmp_path / "socket")):
            async with unix_connect(str(tmp_path / "socket"), "ws://localhost/") as socket:
                await socket.send(BIG[:100_000])
                assert await socket.recv() == BIG[:100_000]

    run(main)


def test_refusal_and_redirect(run):
    async def main():
        def judge(connection, request):
            if request.path == "/old":
                response = connection.respond(302, "")
                response.headers["Location"] = "/new"
                return response
            return None if request.path == "/new" else connection.respond(403, "no")

        async with serve(echo, "127.0.0.1", 0, process_request=judge) as server:
            url = f"ws://127.0.0.1:{port_of(server)}"
            with pytest.raises(InvalidStatus) as error:
                await connect(f"{url}/never")
            assert error.value.response.status_code == 403
            async with connect(f"{url}/old") as socket:
                await socket.send("moved")
                assert await socket.recv() == "moved"

    run(main)


def test_server_that_ends_closes_its_connections(run):
    async def main():
        server = await serve(echo, "127.0.0.1", 0)
        socket = await connect(f"ws://127.0.0.1:{port_of(server)}")
        server.close()
        await server.wait_closed()
        with pytest.raises(ConnectionClosedOK) as error:
            await socket.recv()
        assert error.value.rcvd.code == 1001

    run(main)


def test_reconnecting(run):
    async def main():
        async def once(socket):
            await socket.send("hello")

        async with serve(once, "127.0.0.1", 0) as server:
            got = 0
            async for socket in connect(f"ws://127.0.0.1:{port_of(server)}"):
                try:
                    while True:
                        assert await socket.recv() == "hello"
                        got += 1
                except ConnectionClosedOK:
                    if got == 5:
                        break

    run(main)
