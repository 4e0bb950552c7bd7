"""What a message and a step cost, counted: system calls, references, blocks. Each is counted in a
process of its own, so that nothing else is."""

import collections
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sanitized = pytest.mark.skipif(
    "GUAVA_SANITIZED" in os.environ, reason="sanitizers make system calls"
)
traced = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

PREAMBLE = """
import gc, json, os, socket, sys, threading
import guava_loop, echo_server, loop_probe, stream_probe
loop = guava_loop.new_event_loop()
loop.set_debug(False)  # which -X dev turns on, and which reads source files
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
address = listener.getsockname()

def talk(client, n):
    client.settimeout(20)
    for _ in range(n):
        client.sendall(b"x" * 100)
        assert len(client.recv(200)) == 100
"""


def run(code: str, modules: Path, *prefix: str) -> Any:
    """The JSON that a fresh process prints last."""
    done = subprocess.run(
        [*prefix, sys.executable, "-c", PREAMBLE + code],
        env={**os.environ, "PYTHONPATH": str(modules)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def system_calls(code: str, modules: Path, folder: Path) -> collections.Counter[str]:
    """The calls of the loop's own thread between the two marks that the code makes."""
    trace = folder / "trace"
    run(code, modules, "strace", "-f", "-o", str(trace))
    counted: collections.Counter[str] = collections.Counter()
    thread = None
    for line in trace.read_text().splitlines():
        pid, _, call = line.partition(" ")
        if "guava-mark" in call:
            thread = pid if thread is None else ""
        elif pid == thread and "resumed>" not in call and not call.lstrip().startswith("---"):
            counted[call.strip().partition("(")[0]] += 1
    assert thread == ""
    return counted


MARK = """
def mark():
    try:
        os.stat("/guava-mark")
    except FileNotFoundError:
        pass
def marked():  # on another thread: what it sends next comes behind the mark
    done = threading.Event()
    loop.call_soon_threadsafe(lambda: (mark(), done.set()))
    done.wait()
"""


@sanitized
@traced
def test_system_calls_of_a_message(c_modules: Path, tmp_path: Path) -> None:
    """epoll, receive, send: three, and no fourth."""
    code = """
echo_server.serve(loop, listener.detach())
def client():
    with socket.create_connection(address) as sock:
        talk(sock, 10)
        marked()
        talk(sock, 1000)
        marked()
        talk(sock, 1)
    loop.call_soon_threadsafe(loop.stop)
threading.Thread(target=client).start()
loop.run_forever()
print(json.dumps(echo_server.counts()))
"""
    calls = system_calls(MARK + code, c_modules, tmp_path)
    waits = calls.pop("epoll_wait", 0) + calls.pop("epoll_pwait", 0)
    assert calls.pop("recvfrom") in range(1000, 1002)
    assert calls.pop("sendto") in range(1000, 1002)
    # Other threads of this process take the interpreter now and then: futexes are theirs.
    calls.pop("futex", None)
    assert waits in range(1000, 1004)
    assert calls.total() <= 4, calls  # the wake-ups of the marks


@sanitized
@traced
def test_a_paused_stream_does_not_spin(c_modules: Path, tmp_path: Path) -> None:
    code = """
stream = stream_probe.Stream()
ours, theirs = socket.socketpair()
stream.open(loop, ours.detach())
stream.read_pause()
theirs.send(b"waiting")
def wait():
    mark()
    loop.call_later(0.3, lambda: (mark(), loop.stop()))
loop.call_soon(wait)
loop.run_forever()
print("1")
"""
    calls = system_calls(MARK + code, c_modules, tmp_path)
    assert calls.total() < 15, calls


@sanitized
@traced
def test_a_listener_without_descriptors_does_not_spin(c_modules: Path, tmp_path: Path) -> None:
    code = """
import resource
listener.listen()
loop.set_exception_handler(lambda loop, context: None)
client = socket.create_connection(address)
def wait():
    used = max(int(name) for name in os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, used))
    try:
        while True:
            os.dup(0)
    except OSError:
        pass
    mark()
    stream_probe.listen(loop, listener.detach(), stream_probe.Stream)
    loop.call_later(0.5, lambda: (mark(), loop.stop()))
loop.call_soon(wait)
loop.run_forever()
print("1")
"""
    calls = system_calls(MARK + code, c_modules, tmp_path)
    # One attempt in 100 ms, each of a handful of calls.
    assert 1 <= calls["accept4"] <= 6
    assert calls.total() < 60, calls


@sanitized
@traced
def test_pausing_around_each_message_costs_nothing(c_modules: Path, tmp_path: Path) -> None:
    code = """
ours, theirs = socket.socketpair()
class Stream(stream_probe.Stream):
    n = 0
    def data(self, data):
        self.read_pause()
        self.write(data)
        self.read_resume()
        self.n += 1
        if self.n < 100:
            theirs.send(b"x")
        else:
            mark()
            loop.stop()
stream = Stream()
stream.open(loop, ours.detach())
loop.call_later(0.01, lambda: (mark(), theirs.send(b"x")))  # the first poll tells much
loop.run_forever()
print("1")
"""
    calls = system_calls(MARK + code, c_modules, tmp_path)
    assert calls["epoll_ctl"] <= 1, calls


@sanitized
@traced
@pytest.mark.parametrize("size", [100, 50_000])
def test_system_calls_of_a_message_by_sock_methods(
    c_modules: Path, tmp_path: Path, size: int
) -> None:
    """A receive in vain, the poll, the receive, the send; nothing that tells the poll anew."""
    code = f"""
import asyncio
listener.listen()
loop.set_debug(False)  # which -X dev turns on, and which reads source files
SIZE = {size}
def client():
    with socket.create_connection(address) as sock:
        sock.settimeout(20)
        for n in (10, 500, 1):
            for _ in range(n):
                sock.sendall(b"x" * SIZE)
                left = SIZE
                while left:
                    left -= len(sock.recv(left))
            marked()
async def main():
    sock, _ = listener.accept()
    with sock:
        sock.setblocking(False)
        while True:
            data = await loop.sock_recv(sock, 65536)
            if not data:
                break
            await loop.sock_sendall(sock, data)
threading.Thread(target=client).start()
loop.run_until_complete(main())
print("1")
"""
    calls = system_calls(MARK + code, c_modules, tmp_path)
    calls.pop("futex", None)
    waits = calls.pop("epoll_wait", 0) + calls.pop("epoll_pwait", 0)
    sends, receives = calls.pop("sendto"), calls.pop("recvfrom")
    assert sends >= 500
    # A message may come in parts; each is sent on.
    assert receives <= 2 * sends + 2 and waits <= sends + 4
    assert calls.pop("epoll_ctl", 0) == 0
    assert calls.total() <= 4, calls  # the wake-ups of the marks


FLAT = """
def measure():
    gc.collect()
    total = getattr(sys, "gettotalrefcount", lambda: 0)()
    return sys.getallocatedblocks(), total, len(os.listdir("/dev/fd"))

def flat(operation, n):
    if "GUAVA_SANITIZED" in os.environ:
        n //= 20  # for the sanitizers' own findings, which the smaller number shows as well
    operation(n // 10)
    measure()
    before = measure()
    operation(n)
    after = measure()
    print(json.dumps([a - b for a, b in zip(after, before)]))
"""

OPERATIONS = {
    "steps": """
async def handler():
    return 1
def operation(n):
    def call():
        loop_probe.step_many(loop, handler, n)
        loop.stop()
    loop.call_soon(call)
    loop.run_forever()
flat(operation, 100_000)
""",
    "steps that suspend": """
import asyncio
async def handler():
    await asyncio.sleep(0)
def operation(n):
    def call():
        loop_probe.step_many(loop, handler, 100)
        nonlocal n
        n -= 100
        loop.call_soon(call if n > 0 else loop.stop)
    loop.call_soon(call)
    loop.run_forever()
    loop.call_soon(loop.stop)
    loop.run_forever()
flat(operation, 100_000)
""",
    "steps that raise": """
async def handler():
    raise ValueError
def operation(n):
    def call():
        for _ in range(n):
            try:
                loop_probe.step(loop, handler())
            except ValueError:
                pass
        loop.stop()
    loop.call_soon(call)
    loop.run_forever()
flat(operation, 100_000)
""",
    "steps whose task is looked at": """
import asyncio
async def handler():
    asyncio.current_task().get_name()
def operation(n):
    def call():
        loop_probe.step_many(loop, handler, 100)
        nonlocal n
        n -= 100
        loop.call_soon(call if n > 0 else loop.stop)
    loop.call_soon(call)
    loop.run_forever()
flat(operation, 100_000)
""",
    "messages": """
echo_server.serve(loop, listener.detach())
def operation(n):
    sock = socket.create_connection(address)
    def client():
        talk(sock, n)
        loop.call_soon_threadsafe(loop.stop)
    thread = threading.Thread(target=client)
    thread.start()
    loop.run_forever()
    thread.join()
    sock.close()
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
flat(operation, 20_000)
""",
    "connections": """
echo_server.serve(loop, listener.detach())
def operation(n):
    def client():
        for _ in range(n):
            with socket.create_connection(address) as sock:
                talk(sock, 1)
        loop.call_soon_threadsafe(loop.stop)
    thread = threading.Thread(target=client)
    thread.start()
    loop.run_forever()
    thread.join()
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
flat(operation, 5_000)
""",
    "streams and files": """
import errno, random
source = random.Random(6)
file = open(os.__file__, "rb")
size = os.path.getsize(os.__file__)
def operation(n):
    for i in range(n):
        ours, theirs = socket.socketpair()
        stream = stream_probe.Stream()
        stream.open(loop, ours.detach())
        stream.write(b"x" * source.choice([1, 500_000]))
        stream.write(b"y" * 1000, release=lambda: None)
        stream.sendfile(file.fileno(), 0, size, lambda error: None)
        stream.sendfile(file.fileno(), size, 10, lambda error: None)
        theirs.recv(1000)
        if i % 3 == 0:
            stream.abort(-errno.ECONNRESET)
        elif i % 3 == 1:
            stream.close()
        theirs.close()
        loop.call_soon(loop.stop)
        loop.run_forever()
        stream.abort()
        loop.call_soon(loop.stop)
        loop.run_forever()
flat(operation, 5_000)
""",
    "socket methods": """
import asyncio
async def talk(n):
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    buffer = bytearray(100)
    with left, right:
        for _ in range(n):
            receiving = loop.create_task(loop.sock_recv(left, 100))
            await loop.sock_sendall(right, b"x" * 10)
            assert len(await receiving) == 10
            loop.call_soon(right.send, b"y")
            assert await loop.sock_recv_into(left, buffer) == 1
            receiving = loop.create_task(loop.sock_recv(left, 100))
            await asyncio.sleep(0)
            receiving.cancel()
            await asyncio.wait([receiving])
            try:
                await loop.sock_recv_into(left, b"read only")
            except TypeError:
                pass
def operation(n):
    for _ in range(n // 100):
        loop.run_until_complete(talk(100))
flat(operation, 10_000)
""",
    "tasks and futures": """
async def give(value):
    return value
async def make(n):
    for _ in range(n):
        assert await loop.create_task(give(1)) == 1
        assert await loop.create_task(give(2), name="spam") == 2
        future = loop.create_future()
        loop.call_soon(future.set_result, 3)
        assert await future == 3
        try:
            loop.create_task(None)
        except TypeError:
            pass
def operation(n):
    loop.run_until_complete(make(n))
flat(operation, 20_000)
""",
    "posts and defers": """
def nothing():
    pass
def operation(n):
    for _ in range(n // 100):
        for _ in range(100):
            loop_probe.post(loop, nothing)
            loop_probe.defer(loop, nothing)
        loop.call_soon(loop.stop)
        loop.run_forever()
flat(operation, 100_000)
""",
    "loops": """
def operation(n):
    for _ in range(n):
        made = guava_loop.new_event_loop()
        ours, theirs = socket.socketpair()
        stream = stream_probe.Stream()
        stream.open(made, ours.detach())
        loop_probe.post(made, lambda: None)
        made.close()
        theirs.close()
        del made, stream
flat(operation, 2_000)
""",
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_is_left_behind(c_modules: Path, name: str) -> None:
    blocks, references, descriptors = run(FLAT + OPERATIONS[name], c_modules)
    assert descriptors == 0
    if "GUAVA_SANITIZED" not in os.environ:  # there PYTHONMALLOC=malloc leaves nothing to count
        # The interpreter's own caches settle within two hundred blocks; a leak shows thousands.
        assert abs(blocks) < 400
        assert abs(references) < 400


@sanitized
@traced
def test_system_calls_of_a_datagram(c_modules: Path, tmp_path: Path) -> None:
    """A poll, a receive, a send; and now and then a look for one that came meanwhile."""
    code = """
import asyncio
COUNT = 200

class Echo(asyncio.DatagramProtocol):
    seen = 0
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, address):
        if self.seen == 0:
            mark()
        self.transport.sendto(data, address)
        self.seen += 1
        if self.seen == COUNT:
            mark()
            loop.stop()

transport, echo = loop.run_until_complete(
    loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0)))
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect(transport.get_extra_info("sockname"))
thread = threading.Thread(target=talk, args=(client, COUNT))
thread.start()
loop.run_forever()
thread.join()
print(json.dumps(None))
"""
    calls = system_calls(MARK + code, c_modules, tmp_path)
    waits = calls.pop("epoll_wait", 0) + calls.pop("epoll_pwait", 0)
    assert calls.pop("sendto") == 200
    assert calls.pop("recvfrom") in range(199, 199 + 15)
    assert waits in range(199 - 15, 200)
    calls.pop("futex", None)
    assert calls.total() <= 1, calls  # the first mark's own


TRANSPORTS = (
    MARK
    + """
import asyncio

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.transport.write(data)

class BufferedEcho(asyncio.BufferedProtocol):
    def connection_made(self, transport):
        self.transport = transport
        self.buffer = bytearray(65536)
    def get_buffer(self, hint):
        return self.buffer
    def buffer_updated(self, n):
        self.transport.write(self.buffer[:n])

class ThreeWrites(Echo):
    def data_received(self, data):
        for part in (data[:10], data[10:50], data[50:]):
            self.transport.write(part)

class Streams:
    def __new__(cls):
        async def echo(reader, writer):
            while data := await reader.read(1000):
                writer.write(data[:50])
                writer.write(data[50:])
                await writer.drain()
            writer.close()
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), echo, loop=loop)

def client():
    with socket.create_connection(address) as sock:
        talk(sock, 10)
        marked()
        talk(sock, 1000)
        marked()
        talk(sock, 1)
    loop.call_soon_threadsafe(loop.stop)

def serve(factory):
    listener.listen()
    server = loop.run_until_complete(loop.create_server(factory, sock=listener))
    threading.Thread(target=client).start()
    loop.run_forever()
"""
)


@sanitized
@traced
@pytest.mark.parametrize("factory", ["Echo", "BufferedEcho", "ThreeWrites", "Streams"])
def test_system_calls_of_a_message_to_a_protocol(
    factory: str, c_modules: Path, tmp_path: Path
) -> None:
    """Poll, receive, send: three, however many writes there are."""
    code = f"{TRANSPORTS}\nserve({factory})\nprint(json.dumps(1))"
    calls = system_calls(code, c_modules, tmp_path)
    waits = calls.pop("epoll_wait", 0) + calls.pop("epoll_pwait", 0)
    assert calls.pop("recvfrom") in range(1000, 1002)
    assert calls.pop("sendto", 0) + calls.pop("sendmsg", 0) in range(1000, 1002)
    calls.pop("futex", None)
    assert waits in range(1000, 1004)
    assert calls.total() <= 4, calls


@sanitized
@pytest.mark.parametrize("factory", ["Echo", "BufferedEcho", "Streams"])
def test_messages_to_a_protocol_leave_no_blocks(factory: str, c_modules: Path) -> None:
    code = f"""{TRANSPORTS}
blocks = []
def count():
    blocks.append(sys.getallocatedblocks())
def client():
    with socket.create_connection(address) as sock:
        for _ in range(4):
            talk(sock, 2000)
            loop.call_soon_threadsafe(count)
    loop.call_soon_threadsafe(loop.stop)
gc.disable()
serve({factory})
print(json.dumps(blocks))
"""
    blocks = run(code, c_modules)
    assert len(blocks) == 4
    assert blocks[-1] - blocks[1] < 200, blocks


@sanitized
def test_connections_leave_no_blocks(c_modules: Path) -> None:
    """Accepted, asked for their names, talked to, closed or reset: and nothing is left."""
    code = f"""{TRANSPORTS}
class Asking(Echo):
    def connection_made(self, transport):
        self.transport = transport
        for name in ("socket", "peername", "sockname"):
            transport.get_extra_info(name)
blocks = []
def count():
    gc.collect()
    blocks.append(sys.getallocatedblocks())
def client():
    for round in range(4):
        for i in range(300):
            with socket.create_connection(address) as sock:
                talk(sock, 1)
                if i % 3 == 0:
                    linger = (1).to_bytes(8, "little")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        loop.call_soon_threadsafe(count)
    loop.call_soon_threadsafe(loop.stop)
serve(Asking)
print(json.dumps(blocks))
"""
    blocks = run(code, c_modules)
    assert len(blocks) == 4
    assert blocks[-1] - blocks[1] < 100, blocks
