"""httpx over anyio, against a server of the standard library on a thread of its own."""

import asyncio
import hashlib
import http.server
import threading

import httpx
import pytest

BIG = bytes(range(256)) * 4 * 4096


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/pieces":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(64):
                self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/never":
            self.server.over.wait(60)
            self.close_connection = True
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half of it")
            self.close_connection = True
        elif self.path == "/moved":
            self.answer(b"", 302, Location="/peer")
        else:
            self.answer(repr(self.client_address).encode())

    def do_POST(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(hashlib.sha256(body).hexdigest().encode())

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Quiet(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # clients that leave are what some tests are about


@pytest.fixture(params=["http", "https"])
def url(request, authority):
    server = Quiet(("127.0.0.1", 0), Handler)
    server.over = threading.Event()
    if request.param == "https":
        server.socket = authority.server().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"{request.param}://localhost:{server.server_port}"
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(authority):
    def client(**options):
        return httpx.AsyncClient(verify=authority.client(), trust_env=False, **options)

    return client


def test_bodies(run, url, client):
    async def parts():
        for start in range(0, len(BIG), 1 << 16):
            yield BIG[start : start + (1 << 16)]

    async def main():
        async with client() as session:
            for body in (b"", b"short", BIG, parts()):
                answer = await session.post(f"{url}/", content=body)
                sent = body if isinstance(body, bytes) else BIG
                assert answer.text == hashlib.sha256(sent).hexdigest()
            async with session.stream("GET", f"{url}/pieces") as answer:
                assert sum([len(part) async for part in answer.aiter_bytes()]) == 64 * 65536

    run(main)


def test_connections_are_kept_and_limited(run, url, client):
    async def main():
        async with client(limits=httpx.Limits(max_connections=5)) as session:
            answers = await asyncio.gather(*(session.get(f"{url}/peer") for _ in range(100)))
            assert {answer.status_code for answer in answers} == {200}
            assert 1 <= len({answer.text for answer in answers}) <= 5
            moved = await session.get(f"{url}/moved", follow_redirects=True)
            assert (moved.status_code, moved.url.path) == (200, "/peer")

    run(main)


def test_time_out_cancellation_and_a_cut_answer(run, url, client):
    async def main():
        async with client(timeout=0.1) as session:
            with pytest.raises(httpx.ReadTimeout):
                await session.get(f"{url}/never")
            task = asyncio.create_task(session.get(f"{url}/never", timeout=None))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with client() as session:
            with pytest.raises(httpx.RemoteProtocolError):
                await session.get(f"{url}/cut")

    run(main)


def test_nobody_listens(run, client):
    async def main():
        async with client() as session:
            with pytest.raises(httpx.ConnectError):
                await session.get("http://127.0.0.1:1/")

    run(main)


def test_trust(run, authority):
    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = authority.server().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    async def main():
        async with httpx.AsyncClient(trust_env=False) as session:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await session.get(f"https://localhost:{server.server_port}/")

    try:
        run(main)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
