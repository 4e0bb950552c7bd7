"""TLS while a connection lives: the same on asyncio's loop and on ours, but for what is said to
differ."""

import asyncio
import contextvars
import fcntl
import hashlib
import logging
import os
import socket
import ssl
import subprocess
import tempfile
import termios

import pytest

SIZES = [1, 1000, 16 * 1024, 16 * 1024 + 1, 300_000]


def bytes_of(size: int) -> bytes:
    """Bytes that betray it when some are lost or change places."""
    return hashlib.shake_128(b"guava").digest(size)


# ---- bytes --------------------------------------------------------------------------------------


def test_echo(run, connected, contexts, side, recorder):
    async def main():
        async with connected(contexts, side, recorder) as (near, peer):
            for size in SIZES:
                data = bytes_of(size)
                got, _ = await asyncio.gather(near.receive(size), peer.write(data))
                assert got == data
                near.transport.write(data)
                assert await peer.read(size) == data

    run(main())


def test_records_that_come_byte_by_byte(run, connected, contexts, recorder):
    async def main():
        async with connected(contexts, "client", recorder) as (near, peer):
            for byte in peer.sealed(b"one") + peer.sealed(b"two") + peer.sealed(bytes_of(300)):
                await peer.send(bytes([byte]))
                await asyncio.sleep(0)
            assert await near.receive(306) == b"onetwo" + bytes_of(300)

    run(main())


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 100, 16 * 1024, 16 * 1024 + 40])
def test_records_that_are_cut_anywhere(run, connected, newest, recorder, cut):
    async def main():
        async with connected(newest, "server", recorder) as (near, peer):
            data = bytes_of(40_000)
            sealed = peer.sealed(data)
            await peer.send(sealed[:cut])
            await asyncio.sleep(0.005)
            await peer.send(sealed[cut:])
            assert await near.receive(len(data)) == data

    run(main())


def test_small_writes_arrive_in_order(run, connected, contexts):
    async def main():
        async with connected(contexts, "client") as (near, peer):
            pieces = [b"%d," % i for i in range(3000)]
            for piece in pieces:
                near.transport.write(piece)
            text = b"".join(pieces)
            assert await peer.read(len(text)) == text

    run(main())


def test_writes_of_one_callback_are_one_record(loop, run, connected, newest, Recorder):
    if not loop.ours:
        pytest.skip("asyncio encrypts and sends each write by itself")

    class Answer(Recorder):
        def data_received(self, data):
            for piece in (b"HTTP/1.1 200 OK\r\n", b"Content-Length: 0\r\n", bytearray(b"\r\n")):
                self.transport.write(piece)
            self.transport.writelines([b"a", memoryview(b"b")])

    async def main():
        async with connected(newest, "client", Answer) as (_, peer):
            await peer.write(b"GET")
            records = await peer.recv()
            assert records[0] == 23 and int.from_bytes(records[3:5], "big") == len(records) - 5
            assert await peer.read_some() == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nab"

    async def by_task():
        async with connected(newest, "client") as (near, peer):
            near.transport.write(b"head")
            near.transport.write(b"body")
            records = await peer.recv()
            assert int.from_bytes(records[3:5], "big") == len(records) - 5
            assert await peer.read_some() == b"headbody"

    run(main())
    run(by_task())


def test_what_is_written_may_change_afterwards(run, connected, newest):
    async def main():
        async with connected(newest, "client") as (near, peer):
            for size in (10, 5000, 200_000):
                data = bytearray(bytes_of(size))
                near.transport.write(data)
                near.transport.write(memoryview(data)[:7])
                data[:] = bytes(size)
                assert await peer.read(size + 7) == bytes_of(size) + bytes_of(size)[:7]

    run(main())


def test_writelines(run, connected, newest):
    async def main():
        async with connected(newest, "server") as (near, peer):
            near.transport.writelines([])
            near.transport.writelines(
                [b"a", bytearray(b"b"), memoryview(b"c"), b"", b"d" * 20_000]
            )
            near.transport.writelines(bytes([n]) for n in range(5))
            expected = b"abc" + b"d" * 20_000 + bytes(range(5))
            assert await peer.read(len(expected)) == expected

    run(main())


@pytest.mark.parametrize("wrong", ["text", 5, None, [b"list"]])
def test_what_cannot_be_written(run, connected, newest, wrong):
    async def main():
        async with connected(newest, "client") as (near, peer):
            with pytest.raises(TypeError, match="expecting a bytes-like instance"):
                near.transport.write(wrong)
            near.transport.write(b"")
            near.transport.write(b"still")
            assert await peer.read(5) == b"still"
            assert not near.transport.can_write_eof()
            with pytest.raises(NotImplementedError):
                near.transport.write_eof()

    run(main())


# ---- flow control -------------------------------------------------------------------------------


def test_writing_is_paused_and_resumed(loop, run, connected, contexts):
    async def main():
        async with connected(contexts, "server") as (near, peer):
            transport = near.transport
            assert transport.get_write_buffer_limits() == (128 * 1024, 512 * 1024)
            data = bytes_of(1_000_000)
            for _ in range(4):
                transport.write(data)
            assert near.calls == ["made", "pause"]
            assert transport.get_write_buffer_size() > 512 * 1024
            assert await peer.read(len(data)) == data
            if loop.ours:  # asyncio does not count what its transport below has queued
                assert near.calls == ["made", "pause"]
            assert await peer.read(len(data) * 3) == data * 3
            await near.until(lambda: near.calls[-1] == "resume")
            assert near.calls == ["made", "pause", "resume"]
            assert transport.get_write_buffer_size() <= 128 * 1024

    run(main())


def test_marks_of_writing(run, connected, newest):
    async def main():
        async with connected(newest, "client") as (near, _):
            transport = near.transport
            transport.set_write_buffer_limits(high=100_000)
            assert transport.get_write_buffer_limits() == (25_000, 100_000)
            transport.set_write_buffer_limits(low=100)
            assert transport.get_write_buffer_limits() == (100, 400)
            transport.set_write_buffer_limits()
            assert transport.get_write_buffer_limits() == (128 * 1024, 512 * 1024)
            for wrong in ({"high": 1, "low": 2}, {"low": -1}):
                with pytest.raises(ValueError, match="must be >="):
                    transport.set_write_buffer_limits(**wrong)
            transport.set_read_buffer_limits(high=4000, low=10)
            assert transport.get_read_buffer_limits() == (10, 4000)
            transport.set_read_buffer_limits()
            assert transport.get_read_buffer_limits() == (64 * 1024, 256 * 1024)

    run(main())


def test_a_mark_of_zero(loop, run, connected, newest):
    if not loop.ours:
        pytest.skip("asyncio pauses a TLS protocol for nothing at all, and forgets to resume it")

    async def main():
        async with connected(newest, "client") as (near, peer):
            near.transport.set_write_buffer_limits(0)
            near.transport.write(b"goes at once")
            assert near.calls == ["made"]
            near.transport.write(bytes(2_000_000))
            assert near.calls == ["made", "pause"]
            await peer.read(2_000_000 + 12)
            await near.until(lambda: near.calls[-1] == "resume")
            assert near.transport.get_write_buffer_size() == 0

    run(main())


def test_a_protocol_that_does_not_read_stops_its_peer(run, connected, newest, recorder):
    async def main():
        async with connected(newest, "server", recorder) as (near, peer):
            near.transport.pause_reading()
            assert not near.transport.is_reading()
            data = bytes_of(4_000_000)
            sent = asyncio.ensure_future(peer.write(data))
            size = -1
            while size != (size := near.transport.get_read_buffer_size()) or size == 0:
                await asyncio.sleep(0.02)
            assert near.got == b"" and not sent.done()
            assert size < 1_000_000
            near.transport.resume_reading()
            assert near.transport.is_reading()
            assert await near.receive(len(data)) == data
            await sent

    run(main())


def test_ten_megabytes_through_a_slow_reader(run, connected, newest, Recorder):
    class Slow(Recorder):
        pauses = 0

        def data_received(self, data):
            super().data_received(data)
            self.transport.pause_reading()
            self.pauses += 1
            asyncio.get_running_loop().call_soon(self.transport.resume_reading)

    async def main():
        async with connected(newest, "server", Slow) as (near, peer):
            data = bytes_of(10_000_000)
            sent = asyncio.ensure_future(peer.write(data))
            assert await near.receive(len(data)) == data
            assert near.pauses > 10
            await sent

    run(main())


def test_the_buffer_decides_how_much_is_read(run, connected, newest, BufferedRecorder):
    class Narrow(BufferedRecorder):
        size = 7

    async def main():
        async with connected(newest, "client", Narrow) as (near, peer):
            await peer.write(b"twenty-one bytes long" + b"more")
            assert await near.receive(25) == b"twenty-one bytes longmore"

    run(main())


# ---- the protocol -------------------------------------------------------------------------------


def test_another_protocol(run, connected, newest, Recorder, BufferedRecorder):
    async def main():
        async with connected(newest, "client") as (first, peer):
            transport = first.transport
            assert transport.get_protocol() is first
            for other in (BufferedRecorder(), Recorder()):
                other.connection_made(transport)
                transport.set_protocol(other)
                assert transport.get_protocol() is other
                await peer.write(b"for the other")
                assert await other.receive(13) == b"for the other"
            transport.set_protocol(first)
            assert first.got == b""

    run(main())


def test_callbacks_run_in_a_context(run, connected, newest, Recorder):
    variable = contextvars.ContextVar("variable", default="none")

    class Asking(Recorder):
        def data_received(self, data):
            self.note(("data", variable.get()))
            variable.set("changed")

        def connection_lost(self, exc):
            self.note(("lost", variable.get()))
            self.lost.set_result(exc)

    async def main():
        variable.set("at birth")
        async with connected(newest, "server", Asking) as (near, peer):
            variable.set("later")
            for calls in (2, 3):
                await peer.write(b"x")
                await near.until(lambda calls=calls: len(near.calls) == calls)
            return near

    near = run(main())
    assert near.calls[1:] == [("data", "at birth"), ("data", "changed"), ("lost", "later")]


def test_extra_info(run, connected, contexts, side):
    async def main():
        async with connected(contexts, side) as (near, peer):
            info = near.transport.get_extra_info
            assert type(info("ssl_object")) is ssl.SSLObject
            assert info("ssl_object").version() == peer.tls.version()
            assert info("cipher") == peer.tls.cipher() == info("ssl_object").cipher()
            assert info("compression") is None
            assert info("sslcontext") is (contexts.server if side == "server" else contexts.client)
            if side == "client":
                assert info("peercert")["subject"] == ((("commonName", "localhost"),),)
            else:
                assert info("peercert", "default") is None  # a client without a certificate
            assert info("socket").family == socket.AF_UNIX
            assert info("nothing") is None and info("nothing", 5) == 5
            assert info("peername") is not None
            return near.transport

    transport = run(main())
    assert transport.is_closing() and transport.get_protocol() is None
    assert transport.get_extra_info("cipher")[2] > 0


def test_attributes_and_kinds(run, connected, newest):
    async def main():
        async with connected(newest, "client") as (near, _):
            transport = near.transport
            assert "ssl" in type(transport).__name__.lower()
            assert transport._start_tls_compatible is True
            assert transport._sendfile_compatible is asyncio.constants._SendfileMode.FALLBACK
            transport.note = "kept"
            assert transport.note == "kept"

    run(main())


# ---- what the context decides -------------------------------------------------------------------


def test_the_certificate_that_the_name_asks_for(run, connected, newest):
    names = []
    newest.server.sni_callback = lambda sslobject, name, context: names.append(name)

    async def main():
        async with connected(newest, "server") as (near, peer):
            await peer.write(b"x")
            assert await near.receive(1) == b"x"

    run(main())
    assert names == ["localhost"]


def test_the_protocol_of_the_application(run, connected, newest, side):
    newest.server.set_alpn_protocols(["h2", "http/1.1"])
    newest.client.set_alpn_protocols(["http/1.1"])

    async def main():
        async with connected(newest, side) as (near, _):
            sslobject = near.transport.get_extra_info("ssl_object")
            assert sslobject.selected_alpn_protocol() == "http/1.1"

    run(main())


def test_the_certificate_of_a_client(run, connected, contexts, certificate):
    contexts.server.load_verify_locations(certificate)
    contexts.server.verify_mode = ssl.CERT_REQUIRED
    contexts.client.load_cert_chain(certificate)

    async def main():
        async with connected(contexts, "server") as (near, peer):
            await peer.write(b"x")
            await near.receive(1)
            return near.transport.get_extra_info("peercert")

    assert run(main())["subject"] == ((("commonName", "localhost"),),)


def test_a_context_with_objects_of_its_own(loop, run, connected, newest):
    """As truststore has, which verifies in do_handshake(), or one that reads by itself."""
    calls = []

    class Verifying(ssl.SSLObject):
        def do_handshake(self):
            super().do_handshake()
            calls.append("verified")

    class Reading(ssl.SSLObject):
        def read(self, *args):
            data = super().read(*args)
            calls.append("read")
            return data

    async def main(kind, native):
        newest.client.sslobject_class = kind
        async with connected(newest, "client") as (near, peer):
            if loop.ours:
                assert type(near.transport).__module__.startswith("guava_loop") is native
            near.transport.write(b"ping")
            assert await peer.read(4) == b"ping"
            await peer.write(b"pong")
            assert await near.receive(4) == b"pong"

    run(main(Verifying, True))
    assert calls == ["verified"]
    run(main(Reading, False))
    assert "read" in calls


# ---- with others --------------------------------------------------------------------------------


def test_sendfile_goes_through_tls(loop, run, connected, newest):
    data = bytes_of(600_000)

    async def main():
        async with connected(newest, "server") as (near, peer):
            with tempfile.TemporaryFile() as file:
                file.write(data)
                file.flush()
                file.seek(0)
                sending = asyncio.ensure_future(loop.sendfile(near.transport, file, 100))
                assert await peer.read(len(data) - 100) == data[100:]
                assert await sending == len(data) - 100
            near.transport.write(b"after")
            assert await peer.read(5) == b"after"

    run(main())


def test_streams(run, newest):
    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=newest.server)
        async with server:
            address = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(
                *address, ssl=newest.client, server_hostname="localhost"
            )
            assert writer.get_extra_info("peername") == address
            for line in (b"one\n", b"x" * 60_000 + b"\n"):
                writer.write(line)
                assert await reader.readline() == line.upper()
            writer.close()
            await writer.wait_closed()
        await server.wait_closed()

    run(main())


def test_openssl_renews_its_keys(run, certificate, contexts):
    """s_client's commands: K updates the keys of TLS 1.3, R negotiates TLS 1.2 anew."""
    contexts.server.options |= 1 << 8  # SSL_OP_ALLOW_CLIENT_RENEGOTIATION
    newest = contexts.server.maximum_version is ssl.TLSVersion.TLSv1_3
    command = b"K\n" if newest else b"R\n"

    commands, lines = os.pipe()

    async def serve(reader, writer):
        for _ in range(2):
            writer.write(await reader.readline())
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=contexts.server)
        async with server:
            port = server.sockets[0].getsockname()[1]
            client = await asyncio.create_subprocess_exec(
                *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername"),
                *("localhost", "-CAfile", str(certificate)),
                stdin=commands,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            text = b""
            os.write(lines, b"first\n")
            while b"\nfirst\n" not in text:
                assert not client.stdout.at_eof()
                text += await client.stdout.readline()
            os.write(lines, command)
            # It looks for commands only at the start of what it reads at a time.
            while fcntl.ioctl(commands, termios.FIONREAD, bytes(4)) != bytes(4):
                await asyncio.sleep(0.001)
            os.write(lines, b"second\n")
            while part := await client.stdout.read(4096):
                text += part
            await client.wait()
            return text

    try:
        assert b"second\n" in run(main())
    finally:
        os.close(commands)
        os.close(lines)


def test_debug_mode_tells_of_the_handshake(loop, run, connected, newest, caplog):
    loop.set_debug(True)
    with caplog.at_level(logging.DEBUG, logger="asyncio"):

        async def main():
            async with connected(newest, "server") as (near, peer):
                near.transport.write(b"x")
                assert await peer.read(1) == b"x"

        run(main())
    text = caplog.text
    assert "starts SSL handshake" in text and "SSL handshake took" in text


def test_what_is_written_while_the_loop_rests(loop, contexts, Recorder):
    """It is not put off until the loop runs again, which may be never."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    client = contexts.client.wrap_bio(
        incoming := ssl.MemoryBIO(), outgoing := ssl.MemoryBIO(), server_hostname="localhost"
    )

    async def main():
        made = loop.connect_accepted_socket(Recorder, near, ssl=contexts.server)
        task = asyncio.ensure_future(made)
        while not task.done():
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                pass
            far.sendall(outgoing.read())
            await asyncio.sleep(0.001)
            try:
                incoming.write(far.recv(65536))
            except BlockingIOError:
                pass
        return task.result()

    transport, protocol = loop.run_until_complete(main())
    transport.write(b"at once")
    far.settimeout(10)
    incoming.write(far.recv(65536))
    assert client.read() == b"at once"
    transport.abort()
    far.close()
    loop.run_until_complete(protocol.lost)
