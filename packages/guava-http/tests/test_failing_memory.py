"""A server whose n-th allocation fails, for each n: whatever the request, its client gets the
answer, an error or the connection's end; nothing crashes, hangs or is kept, and the next client is
served. The server is in a process of its own (failing/server.py).
"""

import gzip
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("_testcapi", reason="not part of this build of Python")

SERVER = Path(__file__).parent / "failing/server.py"
LONG = 60.0  # seconds; nothing takes that long unless it hangs
ENOUGH = 25  # rounds in a row that notice nothing: there is no n-th allocation any more

# The interpreter itself loses an exception where it cannot make a frame for the traceback.
ITS_OWN = (
    *("error return without exception set", "<function ", "<class 'logging."),
    "<built-in function __import__>",
    # asyncio's own Task, in 3.13: it goes on where it could not note that it is the current one.
    "<built-in function get_running_loop>",
)
LARGE = b"z" * 30_000
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\nContent-Disposition: '
    b'form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\n'
    + LARGE
    + b"\r\n--b--\r\n"
)
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
PARTS = "Content-Type: multipart/form-data; boundary=b\r\n"


class Cut(Exception):
    """The connection has ended."""


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=LONG)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what came before the end can be read still

    def more(self):
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Cut
        self.rest += data

    def line(self):
        while b"\r\n" not in self.rest:
            self.more()
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    def exactly(self, n):
        while len(self.rest) < n:
            self.more()
        found, self.rest = self.rest[:n], self.rest[n:]
        return found

    def head(self):
        version, status, _ = self.line().split(b" ", 2)
        assert version == b"HTTP/1.1"
        fields = {}
        while line := self.line():
            name, colon, value = line.partition(b":")
            assert colon
            fields[name.lower().decode()] = value.strip().decode()
        return int(status), fields

    def chunks(self):
        while size := int(self.line(), 16):
            yield self.exactly(size)
            assert self.line() == b""
        while self.line():
            pass

    def answer(self):
        """Status and body of the next final answer."""
        status, fields = self.head()
        if status == 101:
            return status, b""
        if status < 200:
            return self.answer()
        if "transfer-encoding" in fields:
            body = b"".join(self.chunks())
        else:
            body = self.exactly(int(fields["content-length"]))
        if fields.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return status, body


# ---- the exchanges -----------------------------------------------------------------------------


def get(fields=""):
    def exchange(client, path):
        client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
        return client.answer()

    return exchange


def post(body, fields="", chunked=False, waits=True):
    """The body is sent when the server asks for it, so that it is received by itself."""

    def exchange(client, path):
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        expect = "Expect: 100-continue\r\n" if waits else ""
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\n{fields}{expect}{length}\r\n\r\n"
        sent = [body]
        if chunked:
            half = len(body) // 2
            sent = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:])]
            sent.append(b"0\r\n\r\n")
        if not waits:
            client.send(head.encode() + b"".join(sent))
            return client.answer()
        client.send(head.encode())
        status, fields_ = client.head()
        if status != 100:
            return status, client.exactly(int(fields_["content-length"]))
        for part in sent:
            client.send(part)
        return client.answer()

    return exchange


def several(client, path):
    """Requests that come together."""
    client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 4)
    answers = [client.answer() for _ in range(4)]
    return max(status for status, _ in answers), b" ".join(body for _, body in answers)


def ranges(client, path):
    """Between the parts stands what is another one each time."""
    status, body = get("Range: bytes=0-9,100-200\r\n")(client, path)
    return status, body if status != 206 else len(body)


def upgraded(client, path):
    client.send(
        f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode()
    )
    status, body = client.answer()
    if status != 101:
        return status, body
    assert client.line() == b"welcome"
    client.send(b"one\r\n")
    return status, client.line()


# Without handlers on threads: a lock of the interpreter's own threads and queues stays locked when
# there is no memory for the call that opens it.
EXCHANGES = {
    "text": ("text", get()),
    "several": ("text", several),
    "async": ("async", get()),
    "facts": ("facts", get("Cookie: c=d\r\nX: y\r\n")),
    "json": ("json", get()),
    "cookies": ("cookies", get("Cookie: c=d\r\n")),
    "tuple": ("tuple", get()),
    "large": ("large", get()),
    "body": ("body", post(LARGE)),
    "body at once": ("body", post(b"abc", waits=False)),
    "body in chunks": ("body", post(LARGE, chunked=True)),
    "form": ("form", post(b"a=1&b=2&c=%41", FORM)),
    "multipart": ("multipart", post(MULTIPART, PARTS)),
    "stream": ("stream", post(LARGE)),
    "stream in chunks": ("stream", post(LARGE, chunked=True)),
    "stream-read": ("stream-read", post(LARGE)),
    "stream-parts": ("stream-parts", post(MULTIPART, PARTS)),
    "iterator": ("iterator", get()),
    "pieces": ("pieces", get()),
    "many": ("many", get()),
    "file": ("file", get()),
    "file-large": ("file-large", get()),
    "file-response": ("file-response", get()),
    "ranges": ("file-response", ranges),
    "events": ("events", get()),
    "compressed": ("compressed", get("Accept-Encoding: gzip\r\n")),
    "compressed-pieces": ("compressed-pieces", get("Accept-Encoding: gzip\r\n")),
    "trailers": ("trailers", get("TE: trailers\r\n")),
    "hints": ("hints", get()),
    "work": ("work", get()),
    "future": ("future", get()),
    "upgrade": ("upgrade", upgraded),
    "raising": ("raising", get()),
}


# From 3.12 on the interpreter crashes where it has no memory for a function, or for an iterator
# of a dict, and its JSON loses the exception. A debug build of it ends itself where there is none
# for a generator, or for the frame of a traceback. These are tried on 3.11.
ITS_CRASHES = set()
if sys.version_info >= (3, 12):
    ITS_CRASHES |= {"json", "multipart", "stream-parts", "events", "trailers", "upgrade"}
    ITS_CRASHES |= {"compressed", "compressed-pieces"}
if hasattr(sys, "gettotalrefcount"):
    ITS_CRASHES |= {"events", "compressed", "compressed-pieces", "multipart", "raising"}
for crash in ITS_CRASHES:
    del EXCHANGES[crash]


# ---- rounds ------------------------------------------------------------------------------------


class Process:
    """failing/server.py, and what it is asked."""

    def __init__(self, transport, errors):
        self.errors = errors
        with errors.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", SERVER, transport, str(LONG)],
                # Its development mode runs much of the interpreter's own code for each callback.
                env=os.environ | {"PYTHONDEVMODE": "", "PYTHONASYNCIODEBUG": ""},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                bufsize=0,
            )
        line = b""
        while not line.endswith(b"\n"):
            line += self._read(1)
        self.port = int(line)

    def _read(self, n):
        data = self.process.stdout.read(n)
        if not data:
            raise AssertionError(f"it ended with {self.process.wait(LONG)}")
        return data

    def fail(self, n):
        self.process.stdin.write(b"%08d" % n)
        assert self._read(1) == b"."

    def look(self):
        self.process.stdin.write(b"%08d" % 0)
        line = b""
        while not line.endswith(b"\n"):
            line += self._read(1 << 16)
        return json.loads(line)

    def end(self):
        self.process.stdin.close()
        try:
            return self.process.wait(LONG)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


def one(process, path, exchange, fail_at=None):
    """What the client got (None: the end), and what the server says of it."""
    if fail_at is not None:
        process.fail(fail_at)
    client = Client(process.port)
    try:
        got = exchange(client, path)
    except Cut:
        got = None
    finally:
        client.sock.close()
    return got, process.look()


def judge(name, n, got, expected, about):
    """Whether the failing allocation made a difference."""
    where = f"{name}, allocation {n}: {got!r:.300} {about}"
    assert about["connections"] == 0 and about["tasks"] == 0, where
    for _, kind, text in about["said"]:
        # An error without an exception, or an exception beside a result.
        assert kind != "SystemError" or text.startswith(ITS_OWN), where
    if got == expected[0] and about["said"] == expected[1]["said"]:
        return False
    assert got is None or got == expected[0] or got[0] in (400, 500, 503), where
    if got is not None and got != expected[0]:
        assert about["said"], where
    return True


def sweep(process, name):
    route, exchange = EXCHANGES[name]
    path = f"/{route}" + ("?a=b" if route == "facts" else "")
    for _ in range(3):
        expected = one(process, path, exchange)
    assert expected[0] is not None
    failed = unnoticed = 0
    for n in range(1, 20_000):
        got, about = one(process, path, exchange, n)
        if judge(name, n, got, expected, about):
            failed += 1
            unnoticed = 0
        else:
            unnoticed += 1
        if unnoticed == ENOUGH:
            break
    else:
        raise AssertionError(f"{name}: it does not end")
    assert failed > 0, name
    assert one(process, path, exchange) == expected
    return failed


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """A server for each transport, started when it is first asked for."""
    folder = tmp_path_factory.mktemp("failing")
    running = {}

    def get(transport):
        if transport not in running:
            running[transport] = Process(transport, folder / f"errors-{len(running)}")
        return running[transport]

    def drop(transport):
        running.pop(transport).end()

    yield get, drop
    for process in running.values():
        assert process.end() == 0


@pytest.mark.parametrize("transport", ["native", "asyncio"])
@pytest.mark.parametrize("name", EXCHANGES)
def test_allocations_that_fail(name, transport, processes):
    get, drop = processes
    process = get(transport)
    try:
        sweep(process, name)
    except BaseException:
        print(process.errors.read_text())
        drop(transport)
        raise
