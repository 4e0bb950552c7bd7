"""The adapter to asyncio's transports, where it differs from the loop's own streams: TLS, and the
promises that BufferedProtocol makes."""

import asyncio
import os
import shutil
import ssl
import subprocess

import guava_loop
import pytest
from guava_http import FileBody, Server, _core


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for tests, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def trusting(certificate):
    context = ssl.create_default_context(cafile=certificate[0])
    context.check_hostname = False
    return context


async def read_answer(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
    if "Content-Length" in fields:
        return head, await reader.readexactly(int(fields["Content-Length"]))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return head, body


def test_tls(whole, tls, trusting, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(700_000))

    async def later(request):
        await asyncio.sleep(0)
        return request.scheme

    async def pieces():
        for _ in range(5):
            await asyncio.sleep(0)
            yield b"x" * 50_000

    def handler(request):
        return {
            "/scheme": lambda: request.scheme,
            "/later": lambda: later(request),
            "/body": lambda: request.body,
            "/pieces": pieces,
            "/file": lambda: FileBody(path),
            "/large": lambda: b"x" * 3_000_000,
            "/peer": lambda: request.peer[0],
        }[request.path]()

    expected = {
        "/scheme": b"https",
        "/later": b"https",
        "/body": b"y" * 100_000,
        "/pieces": b"x" * 250_000,
        "/file": path.read_bytes(),
        "/large": b"x" * 3_000_000,
        "/peer": b"127.0.0.1",
    }

    async def main():
        async with whole.server(handler, ssl=tls, transport="auto") as server:
            assert server.address.startswith("https://")
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", server.port, ssl=trusting, limit=1 << 20
            )
            for _ in range(2):
                for name, body in expected.items():
                    head = f"POST {name} HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
                    writer.write(head.encode() + b"y" * 100_000)
                    head, found = await read_answer(reader)
                    assert head.startswith("HTTP/1.1 200"), name
                    assert found == body, name
            # The server ends it, in TLS's way.
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n")
            head, _ = await read_answer(reader)
            assert head.startswith("HTTP/1.1 400")
            assert await reader.read() == b""
            writer.close()

    with asyncio.Runner(loop_factory=whole.loop_factory) as runner:
        runner.run(main())


def test_a_client_without_tls(whole, tls, caplog):
    async def main():
        async with whole.server(lambda request: "", ssl=tls, transport="auto") as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            try:
                assert not (await reader.read()).startswith(b"HTTP")
            except ConnectionError:
                pass
            writer.close()
            assert server.answered == 0

    with asyncio.Runner(loop_factory=whole.loop_factory) as runner:
        runner.run(main())


def test_tls_excludes_native(tls):
    with pytest.raises(ValueError, match="native"):
        Server(lambda request: "", ssl=tls, transport="native")


def test_what_is_used_where(whole):
    async def main():
        async with whole.server(lambda request: "") as server:
            return bool(server._asyncio_servers)

    with asyncio.Runner(loop_factory=whole.loop_factory) as runner:
        assert runner.run(main()) is (whole.mode != "native")


def test_an_adapter_is_a_buffered_protocol():
    assert issubclass(_core.Adapter, asyncio.BufferedProtocol)
    with pytest.raises(TypeError):
        _core.Adapter(None)
    with pytest.raises(TypeError):
        _core.Adapter()


class Transport(asyncio.Transport):
    """Writes down what it is told."""

    def __init__(self):
        super().__init__()
        self.sent = b""
        self.told = []
        self.buffered = 0

    def set_write_buffer_limits(self, high=None, low=None):
        self.told.append(("limits", high, low))

    def get_write_buffer_size(self):
        return self.buffered

    def is_closing(self):
        return "close" in self.told or "abort" in self.told

    def write(self, data):
        self.sent += data

    def close(self):
        self.told.append("close")

    def abort(self):
        self.told.append("abort")

    def pause_reading(self):
        self.told.append("pause")

    def resume_reading(self):
        self.told.append("resume")

    def write_eof(self):
        self.told.append("eof")

    def get_extra_info(self, name, default=None):
        return {"peername": ("::1", 1234, 0, 0)}.get(name, default)


def feed(protocol, data):
    while data:
        view = protocol.get_buffer(-1)
        n = min(len(view), len(data))
        view[:n] = data[:n]
        protocol.buffer_updated(n)
        data = data[n:]


def drive(handler, script):
    """Runs script(protocol, transport) with an adapter whose transport is a dummy."""

    async def main():
        server = Server(handler, port=0, transport="asyncio")
        await server.start()
        protocol, transport = _core.Adapter(server._core), Transport()
        protocol.connection_made(transport)
        assert server.connections == 1
        await script(protocol, transport)
        protocol.connection_lost(None)
        assert server.connections == 0
        await server.close()

    guava_loop.run(main())


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_transport_is_told_the_watermarks_and_pauses_us():
    made = 0

    def handler(request):
        nonlocal made
        made += 1
        return "x" * 1000

    async def script(protocol, transport):
        assert transport.told == [("limits", 64 * 1024, 16 * 1024)]
        transport.buffered = 100_000
        protocol.pause_writing()
        feed(protocol, GET)
        feed(protocol, GET)
        assert made == 1
        transport.buffered = 0
        protocol.resume_writing()
        assert made == 2
        assert transport.sent.count(b"HTTP/1.1 200 OK") == 2

    drive(handler, script)


def test_the_address_of_a_dummy():
    async def script(protocol, transport):
        feed(protocol, GET)
        assert transport.sent.endswith(b'["::1",1234]')

    drive(lambda request: list(request.peer), script)


def test_eof_closes_an_idle_connection_and_spares_a_busy_one():
    go_on = asyncio.Event()

    async def handler(request):
        await go_on.wait()
        return "done"

    async def script(protocol, transport):
        feed(protocol, GET)
        assert protocol.eof_received() is True
        assert "close" not in transport.told
        go_on.set()
        while not transport.sent:
            await asyncio.sleep(0)
        assert transport.sent.endswith(b"done")
        assert transport.told[-1] == "close"
        # What comes from now on is not for us.
        assert protocol.eof_received() is None
        feed(protocol, GET)

    drive(handler, script)


def test_wrong_calls():
    async def script(protocol, transport):
        with pytest.raises(RuntimeError):
            protocol.connection_made(transport)
        protocol.buffer_updated(0)
        protocol.buffer_updated(1 << 30)
        with pytest.raises((TypeError, OverflowError, ValueError)):
            protocol.buffer_updated(-1)

    drive(lambda request: "", script)
