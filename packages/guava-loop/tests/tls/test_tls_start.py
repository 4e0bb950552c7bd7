"""start_tls(): a connection becomes TLS on its way; on asyncio's loop and on ours."""

import asyncio
import socket
import ssl
import sys

import pytest


@pytest.fixture
def pair(loop):
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    yield near, far
    near.close()
    far.close()


async def accepted(loop, protocol, sock):
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock)
    return transport


def test_both_ends_become_tls(loop, run, pair, contexts, recorder):
    async def main():
        client, server = recorder(), recorder()
        below = [await accepted(loop, p, s) for p, s in zip((client, server), pair, strict=True)]
        below[0].write(b"STARTTLS")
        assert await server.receive(8) == b"STARTTLS"
        above = await asyncio.gather(
            loop.start_tls(below[0], client, contexts.client, server_hostname="localhost"),
            loop.start_tls(below[1], server, contexts.server, server_side=True),
        )
        if loop.ours:
            assert all(type(t).__module__ == "guava_loop.tls" for t in above)
        assert client.calls == server.calls == ["made"]
        above[0].write(b"secret" * 50_000)
        assert await server.receive(300_000) == b"secret" * 50_000
        above[1].write(b"answer")
        assert await client.receive(6) == b"answer"
        above[0].close()
        assert await client.lost is None and await server.lost is None
        assert below[0].is_closing() and below[1].is_closing()
        assert server.calls == ["made", "eof", "lost"]

    run(main())


def test_streams_become_tls(loop, run, newest):
    async def serve(reader, writer):
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go\n")
        await writer.drain()
        await writer.start_tls(newest.server)
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"STARTTLS\n")
            assert await reader.readline() == b"go\n"
            await writer.start_tls(newest.client, server_hostname="localhost")
            assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
            writer.write(b"secret\n")
            assert await reader.readline() == b"SECRET\n"
            writer.close()
            await writer.wait_closed()

    run(main())


@pytest.mark.parametrize("bytes_behind", [1, 5, 100, -1])
def test_a_handshake_that_a_reader_has_taken_for_text(loop, run, pair, newest, bytes_behind):
    if not loop.ours and sys.version_info < (3, 14):
        pytest.skip("asyncio loses it before 3.14")
    near, far = pair

    async def main():
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport = await accepted(loop, protocol, near)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = newest.client.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        hello = outgoing.read()
        split = len(hello) if bytes_behind < 0 else bytes_behind
        await loop.sock_sendall(far, b"STARTTLS\n" + hello[:split])
        assert await reader.readline() == b"STARTTLS\n"
        starting = asyncio.ensure_future(
            loop.start_tls(transport, protocol, newest.server, server_side=True)
        )
        await loop.sock_sendall(far, hello[split:])
        while True:
            incoming.write(await loop.sock_recv(far, 65536))
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                pass
        client.write(b"secret\n")
        await loop.sock_sendall(far, outgoing.read())
        above = await starting
        protocol._replace_transport(above) if hasattr(protocol, "_replace_transport") else None
        assert await reader.readline() == b"secret\n"
        above.abort()

    run(main())


def test_tls_in_tls(loop, run, newest):
    """The outer connection's transport is below the inner one."""

    async def main():
        near, far = socket.socketpair()
        far_reader = asyncio.StreamReader()
        outer = await asyncio.gather(
            asyncio.open_connection(sock=near, ssl=newest.client, server_hostname="localhost"),
            loop.connect_accepted_socket(
                lambda: asyncio.StreamReaderProtocol(far_reader), far, ssl=newest.server
            ),
        )
        (reader, writer), (transport, protocol) = outer
        inner = asyncio.ensure_future(writer.start_tls(newest.client, server_hostname="localhost"))
        above = await loop.start_tls(transport, protocol, newest.server, server_side=True)
        await inner
        writer.write(b"twice sealed\n" * 10_000)
        assert await far_reader.readexactly(130_000) == b"twice sealed\n" * 10_000
        above.write(b"answer")
        assert await reader.readexactly(6) == b"answer"
        above.abort()
        writer.transport.abort()
        await asyncio.sleep(0.01)

    run(main())


def test_what_start_tls_refuses(loop, run, pair, newest, Recorder):
    async def main():
        protocol = Recorder()
        transport = await accepted(loop, protocol, pair[0])
        with pytest.raises(TypeError, match=r"sslcontext is expected to be an instance of"):
            await loop.start_tls(transport, protocol, None)
        with pytest.raises(TypeError, match=r"is not supported by start_tls\(\)"):
            await loop.start_tls(object(), protocol, newest.client)
        with pytest.raises(ValueError, match="should be a positive number"):
            await loop.start_tls(transport, protocol, newest.client, ssl_handshake_timeout=0)
        transport.abort()
        await protocol.lost

    run(main())


@pytest.mark.parametrize("how", ["cancelled", "timed out", "garbage", "end"])
def test_start_tls_fails(loop, run, pair, newest, Recorder, how):
    near, far = pair
    expected = {
        "cancelled": asyncio.CancelledError,
        "timed out": ConnectionAbortedError,
        "garbage": ssl.SSLError,
        "end": ConnectionResetError,
    }

    async def main():
        protocol = Recorder()
        transport = await accepted(loop, protocol, near)
        timeout = 0.02 if how == "timed out" else None
        starting = asyncio.ensure_future(
            loop.start_tls(
                transport, protocol, newest.server, server_side=True, ssl_handshake_timeout=timeout
            )
        )
        await asyncio.sleep(0.01)
        if how == "cancelled":
            starting.cancel()
        elif how == "garbage":
            await loop.sock_sendall(far, b"garbage, and much of it")
        elif how == "end":
            far.shutdown(socket.SHUT_WR)
        with pytest.raises(expected[how]):
            await starting
        await asyncio.sleep(0.01)
        assert transport.is_closing()
        # As asyncio's; at first the connection is neither's.
        assert protocol.calls == (["made"] if "ed" in how else ["made", "lost"])
        while await loop.sock_recv(far, 100):
            pass

    run(main())


def test_what_was_written_before_leaves_before(loop, run, pair, newest, Recorder):
    """Even when the kernel has not taken it yet."""
    near, far = pair
    text = b"plain" * 200_000

    async def main():
        protocol = Recorder()
        transport = await accepted(loop, protocol, near)
        transport.write(text)
        starting = asyncio.ensure_future(
            loop.start_tls(transport, protocol, newest.client, server_hostname="localhost")
        )
        got = bytearray()
        while len(got) < len(text):
            got += await loop.sock_recv(far, 65536)
        assert got[: len(text)] == text
        hello = bytes(got[len(text) :]) or await loop.sock_recv(far, 65536)
        assert hello[0] == 22  # a handshake
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    run(main())
    if not loop.ours:  # its TLS layer trips over the news that the queue was sent
        loop.errors.clear()


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="asyncio's waits for its time-out, and so do we"
)
def test_a_connection_that_is_closed_before_becomes_none(loop, run, pair, contexts, recorder):
    async def main():
        below = await accepted(loop, recorder(), pair[0])
        below.close()
        above = await loop.start_tls(
            below, recorder(), contexts.client, server_hostname="localhost"
        )
        assert above is None

    run(main())
