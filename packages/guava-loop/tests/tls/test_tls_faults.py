"""TLS and what goes wrong: the same on asyncio's loop and on ours, but for what is said to
differ."""

import asyncio
import os
import ssl

import pytest

STATES = ["handshake", "half a handshake", "talk", "half a record", "shutdown"]


def take_errors(loop):
    """(message, exception, of the transport or its protocol) that reached the handler."""
    errors = [(e["message"], type(e.get("exception"))) for e in loop.errors]
    loop.errors.clear()
    return errors


# ---- the connection breaks ----------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("how", ["reset", "close"])
def test_the_connection_breaks(run, connected, contexts, side, state, how, Recorder):
    async def handshaking():
        async with connected(contexts, side, handshake=False) as (task, peer):
            if state != "handshake":
                with pytest.raises(ssl.SSLWantReadError):
                    peer.tls.do_handshake()
                if side == "client":
                    await peer.recv()
                    with pytest.raises(ssl.SSLWantReadError):
                        peer.tls.do_handshake()
                sent = peer.outgoing.read()
                await peer.send(sent[: len(sent) // 2])
            await asyncio.sleep(0.01)
            getattr(peer, how)()
            with pytest.raises(ConnectionError):
                await task

    async def talking():
        async with connected(contexts, side) as (near, peer):
            if state == "half a record":
                await peer.send(peer.sealed(b"never seen")[:-5])
            elif state == "shutdown":
                near.transport.close()
            await asyncio.sleep(0.01)
            getattr(peer, how)()
            # A unix socket that is closed with unread bytes is reset.
            error = await near.lost
            assert error is None or isinstance(error, ConnectionError)
            assert near.calls.count("lost") == 1 and near.got == b""

    run(handshaking() if "handshake" in state else talking())


def test_a_peer_that_is_gone_is_written_to(run, connected, newest):
    async def main():
        async with connected(newest, "server") as (near, peer):
            peer.close()
            for _ in range(20):
                near.transport.write(b"x" * 100_000)
                await asyncio.sleep(0)
            error = await near.lost
            assert error is None or isinstance(error, ConnectionError)
            near.transport.write(b"still allowed")

    run(main())


@pytest.mark.parametrize("seed", range(3))
def test_garbage_instead_of_a_handshake(run, connected, contexts, side, seed):
    garbage = [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(70_000), os.urandom(999)]

    async def main():
        async with connected(contexts, side, handshake=False) as (task, peer):
            await peer.send(garbage[seed])
            peer.sock.shutdown(1)
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                await task

    run(main())


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\x00\x20" + bytes(32), b"\x17\x03\x03\x00\x00" * 99,
     b"\x17\x03\x03\xff\xff" + bytes(70_000), b"\x80" * 20, bytes(100)],
    ids=["text", "a false record", "empty records", "a huge record", "another type", "zeros"],
)  # fmt: skip
def test_garbage_between_records(run, connected, contexts, side, garbage):
    async def main():
        async with connected(contexts, side) as (near, peer):
            await peer.write(b"good")
            await near.receive(4)
            await peer.send(garbage)
            assert isinstance(await near.lost, ssl.SSLError)
            assert near.got == b"" and near.calls == ["made", "lost"]

    run(main())


def test_a_record_that_was_changed(run, connected, contexts, side, recorder):
    async def main():
        async with connected(contexts, side, recorder) as (near, peer):
            sealed = bytearray(peer.sealed(b"true"))
            sealed[-1] ^= 1
            await peer.send(bytes(sealed))
            assert isinstance(await near.lost, ssl.SSLError)
            assert near.got == b""

    run(main())


def test_what_came_before_a_broken_record_is_told(loop, run, connected, newest, recorder):
    if not loop.ours:
        pytest.skip("asyncio drops what it has decrypted in the same turn")

    async def main():
        async with connected(newest, "client", recorder) as (near, peer):
            good, bad = peer.sealed(b"good"), bytearray(peer.sealed(b"bad"))
            bad[-1] ^= 1
            await peer.send(good + bad)
            assert isinstance(await near.lost, ssl.SSLError)
            assert near.got == b"good"

    run(main())


# ---- certificates -------------------------------------------------------------------------------


def test_a_certificate_that_is_not_trusted(loop, run, newest):
    loop.set_debug(False)  # in debug mode servers tell of handshakes that fail
    lost = []

    class Server(asyncio.Protocol):
        def connection_made(self, transport):
            lost.append("made")

    async def main():
        server = await loop.create_server(Server, "127.0.0.1", 0, ssl=newest.server)
        async with server:
            address = server.sockets[0].getsockname()
            with pytest.raises(ssl.SSLCertVerificationError):
                await loop.create_connection(
                    asyncio.Protocol, *address, ssl=newest.strange, server_hostname="localhost"
                )
            with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
                await loop.create_connection(
                    asyncio.Protocol, *address, ssl=newest.client, server_hostname="elsewhere"
                )
            transport, _ = await loop.create_connection(
                asyncio.Protocol, *address, ssl=newest.client, server_hostname="localhost"
            )
            transport.abort()
        await asyncio.sleep(0.01)

    run(main())
    assert take_errors(loop) == []  # they are OSErrors


def test_the_peer_is_told_why(loop, run, connected, newest):
    if not loop.ours:
        pytest.skip("asyncio closes the connection without OpenSSL's alert")
    newest.client = newest.strange

    async def main():
        async with connected(newest, "client", handshake=False) as (task, peer):
            with pytest.raises(ssl.SSLError, match=r"(?i)alert unknown ca"):
                await peer.handshake()
                await peer.read_some()
            with pytest.raises(ssl.SSLCertVerificationError):
                await task

    run(main())


# ---- the handshake is cancelled, or ended -------------------------------------------------------


def test_a_cancelled_handshake(run, connected, newest, side):
    async def main():
        async with connected(newest, side, handshake=False) as (task, peer):
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while await peer.recv():
                pass

    run(main())


# ---- protocols that raise -----------------------------------------------------------------------


class Wrong(Exception):
    pass


@pytest.mark.parametrize(
    "callback", ["data_received", "get_buffer", "buffer_updated", "eof_received"]
)
def test_a_callback_raises(loop, run, connected, newest, BufferedRecorder, Recorder, callback):
    base = BufferedRecorder if "buffer" in callback else Recorder

    def fail(self, *args):
        if callback != "get_buffer" or self.got:  # tickets of the server ask for one, too
            raise Wrong
        return base.get_buffer(self, *args)

    async def main():
        kind = type("Failing", (base,), {callback: fail})
        async with connected(newest, "client", kind) as (near, peer):
            if callback == "get_buffer":
                await peer.write(b"x")
                await near.until(lambda: near.got)
            if callback == "eof_received":
                with pytest.raises(ssl.SSLWantReadError):
                    peer.tls.unwrap()
                await peer.flush()
            else:
                await peer.write(b"x")
            assert isinstance(await near.lost, Wrong)
            assert near.calls.count("lost") == 1

    run(main())
    message = (
        "Error calling eof_received()"
        if callback == "eof_received"
        else "Fatal error on SSL protocol"
    )
    assert take_errors(loop) == [(message, Wrong)]


def test_connection_made_raises(loop, run, connected, newest, side, Recorder):
    class Failing(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            raise Wrong

    async def main():
        async with connected(newest, side, Failing, handshake=False) as (task, peer):
            try:
                await peer.handshake()
                await peer.read_some()
            except (ssl.SSLError, OSError):
                pass
            with pytest.raises(Wrong):
                await task

    run(main())
    assert take_errors(loop) == [("Fatal error: protocol.buffer_updated() call failed.", Wrong)]


@pytest.mark.parametrize("callback", ["pause_writing", "resume_writing"])
def test_a_callback_of_flow_control_raises(loop, run, connected, newest, Recorder, callback):
    def fail(self):
        self.note("failed")
        raise Wrong

    async def main():
        kind = type("Failing", (Recorder,), {callback: fail})
        async with connected(newest, "client", kind) as (near, peer):
            for _ in range(4):
                near.transport.write(bytes(1_000_000))
            assert await peer.read(4_000_000) == bytes(4_000_000)
            await near.until(lambda: "failed" in near.calls)
            await peer.write(b"it goes on")
            assert await near.receive(10) == b"it goes on"

    run(main())
    assert take_errors(loop) == [(f"protocol.{callback}() failed", Wrong)]


@pytest.mark.parametrize("buffer", [b"read-only", bytearray(), None], ids=repr)
def test_get_buffer_gives_nonsense(loop, run, connected, newest, BufferedRecorder, buffer):
    class Nonsense(BufferedRecorder):
        def get_buffer(self, sizehint):
            return buffer if self.got else super().get_buffer(sizehint)

    async def main():
        async with connected(newest, "client", Nonsense) as (near, peer):
            await peer.write(b"good")
            await near.until(lambda: near.got)
            await peer.write(b"x")
            await near.lost
            assert near.got == b"good"

    if not loop.ours and buffer == b"":
        pytest.skip("asyncio takes no bytes for the peer's close_notify")
    run(main())
    assert [message for message, _ in take_errors(loop)] == ["Fatal error on SSL protocol"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_exception_that_ends_programs(loop, newest, connected, Recorder, error):
    class Ending(Recorder):
        def data_received(self, data):
            raise error

    async def main():
        async with connected(newest, "client", Ending) as (_, peer):
            await peer.write(b"x")
            await asyncio.sleep(10)

    task = loop.create_task(main())
    with pytest.raises(error):
        loop.run_until_complete(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
