"""Server: its arguments, its start and its end, and the program in one line."""

import asyncio
import gzip
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import guava
import guava_http
import guava_loop
import pytest
from guava.request import Request

HELLO = """
import sys
import guava

server = guava.server.Server(port={port})
server.add_router(guava.router.Router({{"/": lambda req: "hello"}}))
server.serve(ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """program(*words): python with these arguments, in a folder of its own."""
    processes: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_defaults() -> None:
    server = guava.server.Server()
    assert (server.ip, server.port, server.url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000/")
    assert server.routers == ()
    assert server.route(Request(path="/")) is None
    assert guava.server.Server(ip="::1").url == "http://[::1]:8000/"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"port": -1}, ValueError, "65535"),
        ({"port": 70000}, ValueError, "65535"),
        ({"backlog": 0}, ValueError, "backlog"),
        ({"workers": 4}, NotImplementedError, "workers=4"),
    ],
)
def test_wrong_arguments(options: dict, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        guava.server.Server(**options)


def test_only_routers_are_added() -> None:
    server = guava.server.Server()
    with pytest.raises(TypeError):
        server.add_router("controllers")  # type: ignore[arg-type]
    assert server.routers == ()


def test_handle_needs_no_socket(site: Callable) -> None:
    source = """
class IndexController(Controller):
    def index(self):
        return "hello"

    async def later(self):
        return "later"

    def status(self):
        self.set_status_code(201)
        return "made"
"""
    server = guava.server.Server()
    server.add_router(guava.router.MVCRouter("/", package=site(index=source)))
    assert server.handle(Request(path="/")) == "hello"
    assert asyncio.run(server.handle(Request(path="/index/later"))) == "later"
    assert server.handle(Request(path="/index/status")).status == 201
    assert server.handle(Request(path="/nowhere")).status == 404


def test_it_runs_on_a_loop_that_is_there() -> None:
    async def main() -> tuple[bytes, int]:
        server = guava.server.Server(port=0)
        server.add_router(guava.router.Router({"/": lambda req: "hello"}))
        async with server:
            with pytest.raises(RuntimeError, match="already"):
                await server.start()
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        return answer, server.port

    for runner in (guava_loop.run, asyncio.run):
        answer, port = runner(main())
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"hello")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)


def test_a_router_added_while_it_runs(run: Callable) -> None:
    server = guava.server.Server(port=0)
    client = run(server)
    assert client.ask("/").status == 404
    server.add_router(guava.router.Router({"/": lambda req: "hello"}))
    assert client.ask("/").text == "hello"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_until_a_signal(program: Callable, number: int) -> None:
    process = program("-c", HELLO.format(port=0))
    url = process.stdout.readline().strip()
    port = int(url.rpartition(":")[2].strip("/"))
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"hello" in b"".join(iter(lambda: sock.recv(4096), b""))
    process.send_signal(number)
    out, errors = process.communicate(timeout=20)
    assert (out, errors, process.returncode) == ("ended\n", "", 0)


def test_a_port_in_use_is_one_line(program: Callable) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = program("-c", HELLO.format(port=port))
        out, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert out == ""
    assert len(errors.splitlines()) == 1
    assert str(port) in errors and "in use" in errors


@pytest.mark.parametrize("ip", ["no.such.host.invalid", "203.0.113.7"])
def test_an_address_that_is_not_ours(ip: str) -> None:
    with pytest.raises(SystemExit, match=ip.replace(".", r"\.")):
        guava.server.Server(ip=ip, port=0).serve()


def test_ipv6(run: Callable) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    server = guava.server.Server(ip="::1", port=0)
    server.add_router(guava.router.Router({"/": lambda req: "hello"}))
    run(server)
    with socket.create_connection(("::1", server.port), 20) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"hello" in b"".join(iter(lambda: sock.recv(4096), b""))


def test_the_static_server_in_one_line(program: Callable, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a file")
    process = program("-c", "import guava; guava.server.start_static_server(port=0)")
    line = process.stdout.readline()
    port = int(line.rpartition(":")[2].strip().strip("/"))
    assert os.path.realpath(line.split()[0]) == os.path.realpath(tmp_path)
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /a.txt HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    assert b'href="./a.txt"' in answer and answer.endswith(b"a file")
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    assert (out, errors, process.returncode) == ("", "", 0)


def test_debug_is_asyncios_debug(run: Callable) -> None:
    """serve() hands it to the loop; a running loop is left as it is."""
    source = """
import asyncio, guava

async def show(req):
    return str(asyncio.get_running_loop().get_debug())

server = guava.server.Server(port=0, debug=True)
server.add_router(guava.router.Router({"/": show}))
server.serve(ready=lambda url: print(url, flush=True))
"""
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline().rpartition(":")[2].strip().strip("/"))
        with socket.create_connection(("127.0.0.1", port), 20) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"".join(iter(lambda: sock.recv(4096), b"")).endswith(b"True")
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_limits_and_timeouts_are_the_servers(serve: Callable) -> None:
    index = """
    class IndexController(Controller):
        def index(self):
            return str(len(self.req.body))
    """
    limits = guava_http.Limits(body=1000, target=100)
    client = serve(index=index, server={"limits": limits})
    assert client.ask("/", "POST", "x" * 1000).body == b"1000"
    assert client.ask("/", "POST", "x" * 1001).status == 413
    assert client.ask("/" + "x" * 100).status == 414
    client = serve(index=index, server={"timeouts": guava_http.Timeouts(head=0.2)})
    with socket.create_connection(("127.0.0.1", client.port), 20) as sock:
        sock.sendall(b"GET / HT")
        assert sock.recv(100).startswith(b"HTTP/1.1 408 ")


def test_answers_are_compressed_if_it_is_asked_to(serve: Callable) -> None:
    index = """
    class IndexController(Controller):
        def index(self):
            return "hello " * 1000
    """
    asked = {"Accept-Encoding": "gzip"}
    answer = serve(index=index, server={"compress": True}).ask("/", headers=asked)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == b"hello " * 1000
    answer = serve(index=index).ask("/", headers=asked)
    assert "Content-Encoding" not in answer.headers


def test_it_answers_for_its_names_only_if_it_is_told_them(serve: Callable) -> None:
    index = """
    class IndexController(Controller):
        def index(self):
            return self.req.host
    """
    client = serve(index=index, server={"allowed_hosts": [".example.com"]})
    assert client.ask("/", headers={"Host": "a.example.com"}).body == b"a.example.com"
    assert client.ask("/", headers={"Host": "example.org"}).status == 421


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_tls(run: Callable, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(
        ["openssl", *words.split(), "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = guava.server.Server(port=0, ssl=context)
    server.add_router(guava.router.Router({"/": lambda req: req.scheme}))
    client = run(server)
    assert server.url == f"https://127.0.0.1:{client.port}/"
    trusting = ssl.create_default_context(cafile=certificate)
    connection = http.client.HTTPSConnection("127.0.0.1", client.port, context=trusting)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"https"
    connection.close()
