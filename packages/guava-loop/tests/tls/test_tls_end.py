"""How TLS connections end: the same on asyncio's loop and on ours, but for what is said to
differ."""

import asyncio
import contextlib
import gc
import logging
import socket
import ssl
import sys
import warnings
import weakref

import pytest

DATA = b"0123456789" * 20_000


def skip_if_asyncio_forgets(loop):
    if not loop.ours and sys.version_info < (3, 11, 4):
        pytest.skip("a second close() finds asyncio's transport forgotten, and raises")


async def until_end(peer):
    """All that comes until close_notify; anything else raises."""
    got = bytearray()
    while part := await peer.read_some():
        got += part
    return bytes(got)


# ---- our end ------------------------------------------------------------------------------------


def test_close_sends_what_was_written_and_says_goodbye(run, connected, contexts, side):
    async def main():
        async with connected(contexts, side) as (near, peer):
            near.transport.write(DATA)
            near.transport.close()
            assert near.transport.is_closing()
            assert "lost" not in near.calls
            assert await until_end(peer) == DATA
            await peer.drive(peer.tls.unwrap)
            assert await near.lost is None
            assert near.calls == ["made", "eof", "lost"]

    run(main())


def test_close_waits_for_a_slow_peer(loop, run, connected, newest):
    skip_if_asyncio_forgets(loop)
    data = DATA * 20

    async def main():
        async with connected(newest, "server") as (near, peer):
            for _ in range(4):
                near.transport.write(data)
            near.transport.close()
            near.transport.close()
            await asyncio.sleep(0.02)
            assert not near.lost.done()
            assert await until_end(peer) == data * 4
            await peer.drive(peer.tls.unwrap)
            assert await near.lost is None

    run(main())


def test_close_while_the_peer_still_sends(loop, run, connected, contexts, side):
    """asyncio's OpenSSL object takes it for an error, and the connection is torn down."""

    async def main():
        async with connected(contexts, side) as (near, peer):
            near.transport.close()
            await peer.write(b"not read any more")
            await peer.write(DATA)
            if loop.ours:
                assert await until_end(peer) == b""
                await peer.drive(peer.tls.unwrap)
                assert await near.lost is None
            else:
                assert isinstance(await near.lost, ssl.SSLError)
            assert near.got == b""

    run(main())


def test_close_in_a_callback_sends_what_it_wrote(run, connected, contexts, side, Recorder):
    class Once(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.write(b"answer")
            self.transport.close()

    async def main():
        async with connected(contexts, side, Once) as (near, peer):
            await peer.write(b"question")
            assert await until_end(peer) == b"answer"
            await peer.drive(peer.tls.unwrap)
            assert await near.lost is None
            assert near.got == b"question"

    run(main())


def test_close_of_a_paused_transport(loop, run, connected, newest):
    async def main():
        async with connected(newest, "client") as (near, peer):
            near.transport.pause_reading()
            if loop.ours:  # asyncio's fails on what is not read
                await peer.write(b"not read")
                await asyncio.sleep(0.01)
            near.transport.close()
            assert await until_end(peer) == b""
            await peer.drive(peer.tls.unwrap)
            assert await near.lost is None

    run(main())


def test_abort(run, connected, contexts, side):
    async def main():
        async with connected(contexts, side) as (near, peer):
            near.transport.write(b"sent before")
            near.transport.abort()
            near.transport.abort()
            assert near.transport.is_closing() and near.calls == ["made"]
            assert await near.lost is None
            assert near.calls == ["made", "lost"]
            assert await peer.read(11) == b"sent before"
            # The first Pythons 3.11 take the cut for an end.
            with contextlib.suppress(ssl.SSLEOFError, ConnectionResetError):
                assert await peer.read_some() == b""

    run(main())


@pytest.mark.parametrize("method", ["close", "abort"])
def test_an_end_before_the_beginning(loop, run, newest, Recorder, method):
    if not loop.ours:
        pytest.skip("asyncio's handshake begins nevertheless")

    async def main():
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        waiter = loop.create_future()
        protocol = Recorder()
        transport = loop._make_ssl_transport(
            near, protocol, newest.client, waiter, server_hostname="localhost"
        )
        getattr(transport, method)()
        assert transport.is_closing()
        with far:
            assert await loop.sock_recv(far, 100) == b""
        await waiter
        assert protocol.calls == []
        return weakref.ref(transport)

    assert run(main())() is None


@pytest.mark.parametrize("method", ["close", "abort"])
@pytest.mark.parametrize("callback", ["connection_made", "data_received"])
def test_an_end_in_a_callback(run, connected, newest, Recorder, method, callback):
    class Ending(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            if callback == "connection_made":
                getattr(transport, method)()

        def data_received(self, data):
            super().data_received(data)
            getattr(self.transport, method)()

    async def main():
        async with connected(newest, "server", Ending) as (near, peer):
            try:
                await peer.write(b"x")
                await until_end(peer)
                await peer.drive(peer.tls.unwrap)
            except (OSError, ssl.SSLError):
                pass  # after abort()
            await near.lost
            assert near.calls.count("lost") == 1

    run(main())


def test_writing_to_a_closed_connection(loop, run, connected, newest, caplog):
    async def main():
        async with connected(newest, "client") as (near, _):
            near.transport.abort()
            await near.lost
            with caplog.at_level(logging.WARNING, logger="asyncio"):
                for _ in range(4):
                    near.transport.write(b"x")
                assert caplog.text == ""
                for _ in range(2):
                    near.transport.writelines([b"x"])
            if loop.ours:  # asyncio's falls over some of it
                near.transport.close()
                near.transport.close()
                near.transport.abort()
                near.transport.pause_reading()
                near.transport.resume_reading()
                assert near.transport.get_write_buffer_size() == 0

    run(main())
    assert caplog.text.count("SSL connection is closed") >= 1


# ---- the peer's end -----------------------------------------------------------------------------


def test_the_peer_says_goodbye(run, connected, contexts, side, recorder):
    async def main():
        async with connected(contexts, side, recorder) as (near, peer):
            sealed = peer.sealed(b"last words")
            with pytest.raises(ssl.SSLWantReadError):
                peer.tls.unwrap()
            await peer.send(sealed + peer.outgoing.read())
            assert await near.lost is None
            assert near.got == b"last words" and near.calls == ["made", "eof", "lost"]
            await peer.drive(peer.tls.unwrap)  # ours came, too

    run(main())


def test_an_answer_to_the_goodbye(run, connected, contexts, Recorder):
    """What is written until eof_received() returns still goes out before our close_notify."""

    class Answer(Recorder):
        def eof_received(self):
            self.transport.write(b"answer")
            return super().eof_received()

    async def main():
        async with connected(contexts, "server", Answer) as (near, peer):
            with pytest.raises(ssl.SSLWantReadError):
                peer.tls.unwrap()
            await peer.flush()
            data = b""
            while part := await peer.recv():
                data += part
            assert await near.lost is None
            return data

    records = run(main())
    assert records[0] == 23  # application data, before the alert


def test_eof_received_cannot_keep_it_open(run, connected, newest, Recorder, caplog):
    class Keep(Recorder):
        def eof_received(self):
            super().eof_received()
            return True

    async def main():
        async with connected(newest, "client", Keep) as (near, peer):
            with pytest.raises(ssl.SSLWantReadError):
                peer.tls.unwrap()
            await peer.flush()
            assert await near.lost is None

    run(main())
    assert "returning true from eof_received() has no effect when using ssl" in caplog.text


def test_the_end_without_a_goodbye(run, connected, contexts, side, recorder):
    async def main():
        async with connected(contexts, side, recorder) as (near, peer):
            await peer.write(b"before")
            peer.sock.shutdown(socket.SHUT_WR)
            assert await near.lost is None
            assert near.got == b"before" and near.calls == ["made", "eof", "lost"]

    run(main())


def test_an_end_behind_what_is_not_read(run, connected, contexts):
    async def main():
        async with connected(contexts, "server") as (near, peer):
            near.transport.pause_reading()
            await peer.write(DATA)
            peer.sock.shutdown(socket.SHUT_WR)
            await asyncio.sleep(0.02)
            assert near.calls == ["made"] and near.got == b""
            near.transport.resume_reading()
            assert await near.lost is None
            assert near.got == DATA and near.calls == ["made", "eof", "lost"]

    run(main())


def test_close_behind_an_end_that_was_not_read(loop, run, connected, newest):
    if not loop.ours:
        pytest.skip("asyncio never closes such a connection")

    async def main():
        async with connected(newest, "server") as (near, peer):
            near.transport.pause_reading()
            await peer.write(DATA)
            peer.sock.shutdown(socket.SHUT_WR)
            await asyncio.sleep(0.02)
            near.transport.close()
            assert await near.lost is None

    run(main())


def test_an_end_while_much_is_written(loop, run, connected, newest):
    """The peer has closed its sending half and goes on reading."""
    if not loop.ours and sys.version_info >= (3, 12):
        pytest.skip("asyncio's loop calls a writer that is gone, and never comes to rest")

    async def main():
        async with connected(newest, "server") as (near, peer):
            for _ in range(10):
                near.transport.write(DATA)
            peer.sock.shutdown(socket.SHUT_WR)
            assert await peer.read(len(DATA) * 10) == DATA * 10
            assert await near.lost is None

    run(main())


# ---- time ---------------------------------------------------------------------------------------


def test_a_handshake_takes_too_long(run, connected, newest, side):
    async def main():
        async with connected(newest, side, handshake=False, ssl_handshake_timeout=0.05) as (
            task,
            _,
        ):
            with pytest.raises(ConnectionAbortedError) as caught:
                await task
            return str(caught.value)

    assert run(main()) == (
        "SSL handshake is taking longer than 0.05 seconds: aborting the connection"
    )


def test_a_shutdown_takes_too_long(run, connected, newest, side):
    async def main():
        async with connected(newest, side, ssl_shutdown_timeout=0.05) as (near, _):
            near.transport.close()
            error = await near.lost
            assert type(error) is asyncio.TimeoutError
            return str(error)

    assert run(main()) == "SSL shutdown timed out"


@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
@pytest.mark.parametrize("value", [0, -1.5])
def test_times_that_make_no_sense(loop, run, newest, name, value):
    async def main():
        near, far = socket.socketpair()
        with near, far, pytest.raises(ValueError, match=f"{name} should be a positive number"):
            await loop.create_connection(
                asyncio.Protocol,
                sock=near,
                ssl=newest.client,
                server_hostname="localhost",
                **{name: value},
            )

    run(main())


# ---- garbage collection -------------------------------------------------------------------------


def test_nothing_is_left_of_a_closed_connection(run, connected, newest, Recorder):
    """Without the collector, even when the protocol keeps its transport."""

    async def main():
        async with connected(newest, "client") as (near, peer):
            near.transport.write(DATA)
            near.transport.close()
            await until_end(peer)
            await peer.drive(peer.tls.unwrap)
            await near.lost
            return weakref.ref(near.transport), weakref.ref(near)

    gc.collect()
    gc.disable()
    try:
        transport, protocol = run(main())
        assert transport() is None and protocol() is None
    finally:
        gc.enable()


def test_a_second_close_lets_go_of_the_context(loop, run, connected, newest):
    """Also when it comes before the connection is lost."""
    skip_if_asyncio_forgets(loop)
    known = weakref.ref(newest.client)

    async def main(late):
        async with connected(newest, "client") as (near, peer):
            near.transport.close()
            if not late:
                near.transport.close()
            await until_end(peer)
            await peer.drive(peer.tls.unwrap)
            await near.lost
            near.transport.close()
            near.transport.close()
            return near.transport

    transports = [run(main(True)), run(main(False))]
    newest.client = None
    assert known() is None
    assert all(t.is_closing() for t in transports)


def test_a_transport_that_nobody_closed(loop, newest):
    """The loop is closed under it, and the collector finds it."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    client = newest.client.wrap_socket(far, server_hostname="localhost", do_handshake_on_connect=0)

    async def main(near):
        made = loop.connect_accepted_socket(asyncio.Protocol, near, ssl=newest.server)
        task = asyncio.ensure_future(made)
        while not task.done():
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                pass
            await asyncio.sleep(0.001)
        return weakref.ref(task.result()[0])

    transport = loop.run_until_complete(main(near))
    loop.close()
    del near
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            gc.collect()
    client.close()
    assert transport() is None
    assert any("unclosed transport" in str(w.message) for w in caught)
