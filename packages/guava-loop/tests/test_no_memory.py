"""Every function of the C API when memory runs out: an error that is told, and nothing lost.

Each is tried with the first, second, third... allocation failing, in a process of its own.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("_testcapi", reason="this Python came without its own test modules")

PREAMBLE = """
import _testcapi, errno, gc, json, os, socket, sys
import guava_loop, loop_probe, stream_probe
loop = guava_loop.new_event_loop()
loop.set_exception_handler(lambda loop, context: None)
loop.set_debug(False)  # which would run the interpreter's own code for each handle

class Stream(stream_probe.Stream):
    ends = 0
    def closed(self, error):
        self.ends += 1

def turn():
    loop.call_soon(loop.stop)
    loop.run_forever()

results = []
starved = 0

def arm():
    _testcapi.set_nomemory(starved, starved + 1)

def disarm():
    _testcapi.remove_mem_hooks()
    loop.stop()

def in_the_loop():
    # The callbacks of the loop's next turn starve, not its start.
    loop.call_soon(arm)
    loop.call_later(0.001, disarm)
    loop.run_forever()
    return 0

def starve(prepare, operation, settle):
    global starved
    for n in range(500):
        if n > 40 and not {"MemoryError", -errno.ENOMEM}.intersection(results[-20:]):
            return
        starved = n
        things = prepare()
        if not hasattr(operation, "in_the_loop"):
            arm()
        try:
            result = operation(*things)
        except MemoryError:
            result = "MemoryError"
        except SystemError as error:  # the interpreter's own way to say it, in some versions
            assert str(error) == "error return without exception set", error
            result = "MemoryError"
        finally:
            _testcapi.remove_mem_hooks()
        results.append(result)
        settle(*things)

def finish():
    turn()
    loop.close()
    gc.collect()
    print(json.dumps(results))

def opened():
    ours, theirs = socket.socketpair()
    stream = Stream()
    stream.open(loop, ours.detach())
    return stream, theirs

def gone(stream, theirs):
    stream.abort()
    turn()
    assert stream.ends == 1, stream.ends
    theirs.close()
"""

CASES = {
    "open": """
def prepare():
    return Stream(), *socket.socketpair()
def operation(stream, ours, theirs):
    stream.open(loop, ours.fileno())
    return 0
def settle(stream, ours, theirs):
    if results[-1] == 0:
        ours.detach()
        gone(stream, theirs)
    ours.close()
    theirs.close()
""",
    "listen": """
def prepare():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock,
def operation(sock):
    operation.listening = stream_probe.listen(loop, sock.fileno(), Stream)
    return 0
def settle(sock):
    if results[-1] == 0:
        sock.detach()
        stream_probe.listener(operation.listening, "close")
    turn()
    sock.close()
""",
    "accept": """
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
address = listener.getsockname()
stream_probe.listen(loop, listener.detach(), Stream)
def prepare():
    return socket.create_connection(address),
def operation(client):
    return in_the_loop()
operation.in_the_loop = True
def settle(client):
    client.close()
    turn()
    turn()
""",
    "write": """
big = b"x" * 1_000_000
def prepare():
    return opened()
def operation(stream, theirs):
    return stream.write(big)
def settle(stream, theirs):
    if results[-1] == 1:
        assert stream.queued() > 0
    gone(stream, theirs)
""",
    "write of many borrowed parts": """
big = b"x" * 300_000
released = []
def release():
    released.append(1)
def prepare():
    released.clear()
    return opened()
def operation(stream, theirs):
    return stream.write(big, big, big, release=release)
def settle(stream, theirs):
    gone(stream, theirs)
    assert results[-1] == "MemoryError" or released == [1], (results[-1], released)
""",
    "sendfile": """
file = open(os.__file__, "rb")
done = []
def prepare():
    done.clear()
    return opened()
def operation(stream, theirs):
    return stream.sendfile(file.fileno(), 0, 1000, done.append)
def settle(stream, theirs):
    turn()
    gone(stream, theirs)
    assert len(done) == (1 if results[-1] == 0 else 0), (results[-1], done)
""",
    "receive": """
def prepare():
    return opened()
def operation(stream, theirs):
    theirs.send(b"x" * 1000)
    return in_the_loop()
operation.in_the_loop = True
def settle(stream, theirs):
    gone(stream, theirs)
""",
    "defer": """
calls = []
def call():
    calls.append(1)
def prepare():
    calls.clear()
    return ()
def operation():
    for _ in range(70):  # more than the array holds at first
        loop_probe.defer(loop, call)
    return 0
def settle():
    turn()
    assert len(calls) <= 70 and (results[-1] != 0 or len(calls) == 70)
""",
    "post": """
calls = []
def call():
    calls.append(1)
def prepare():
    calls.clear()
    return ()
def operation():
    return [loop_probe.post(loop, call) for _ in range(70)].count(0)
def settle():
    turn()
    turn()
    assert results[-1] == "MemoryError" or len(calls) == results[-1]
""",
    "on_tick": """
def prepare():
    return ()
def operation():
    operation.handle = loop_probe.on_tick(loop, print, 1000)
    return 0
def settle():
    if results[-1] == 0:
        loop_probe.off_tick(loop, operation.handle)
    turn()
""",
    "step": """
async def handler():
    return 1
def prepare():
    return handler(),
def operation(coroutine):
    return loop_probe.step(loop, coroutine)[1]
def settle(coroutine):
    coroutine.close()
    import asyncio
    assert asyncio.current_task(loop) is None
""",
    "step that suspends": """
import asyncio
async def handler():
    await asyncio.sleep(0)
    return 1
def prepare():
    return handler(),
def operation(coroutine):
    operation.task = loop_probe.step(loop, coroutine)[1]
    return 0
def settle(coroutine):
    assert asyncio.current_task(loop) is None
    turn()
    turn()
    if results[-1] == 0 and not operation.task.done():
        operation.task.cancel()
        turn()
        turn()
    coroutine.close()
""",
    "a task that goes on and on": """
import asyncio
async def work():
    for _ in range(3):
        await asyncio.sleep(0)
def prepare():
    return loop.create_task(work()),
def operation(task):
    return in_the_loop()
operation.in_the_loop = True
def settle(task):
    for _ in range(5):
        turn()
    assert task.done()
    if task.exception() is not None:
        results[-1] = "MemoryError"
""",
    "step whose task is looked at": """
import asyncio
async def handler():
    return asyncio.current_task(loop).get_name()
def prepare():
    return handler(),
def operation(coroutine):
    return loop_probe.step(loop, coroutine)[1]
def settle(coroutine):
    coroutine.close()
    assert asyncio.current_task(loop) is None
    turn()
""",
    "a transport": """
import asyncio
def prepare():
    return socket.socketpair()
def operation(ours, theirs):
    operation.made = loop._make_socket_transport(ours, asyncio.Protocol())
    return 0
def settle(ours, theirs):
    if results[-1] == 0:
        operation.made.abort()
        operation.made = None
    turn()
    turn()
    ours.close()
    theirs.close()
""",
    "a transport's life": """
import asyncio
class Protocol(asyncio.Protocol):
    ends = 0
    def data_received(self, data):
        pass
    def connection_lost(self, exc):
        Protocol.ends += 1
def prepare():
    ours, theirs = socket.socketpair()
    transport = loop._make_socket_transport(ours, Protocol())
    turn()
    return transport, theirs
def operation(transport, theirs):
    theirs.send(b"x" * 1000)
    return in_the_loop()
operation.in_the_loop = True
def settle(transport, theirs):
    ends = Protocol.ends
    transport.abort()
    turn()
    turn()
    # Whether it ended before or just now: without memory for its end there is none.
    assert Protocol.ends - ends in (0, 1)
    theirs.close()
""",
    "a transport's write": """
import asyncio
big = b"x" * 1_000_000
def prepare():
    ours, theirs = socket.socketpair()
    transport = loop._make_socket_transport(ours, asyncio.Protocol())
    turn()
    return transport, theirs
def operation(transport, theirs):
    transport.write(big)
    transport.writelines([big, bytearray(big)])
    return 0 if transport.get_write_buffer_size() > 2_000_000 else "MemoryError"
def settle(transport, theirs):
    transport.abort()
    turn()
    turn()
    theirs.close()
""",
    "a transport's abort": """
import asyncio
def prepare():
    ours, theirs = socket.socketpair()
    transport = loop._make_socket_transport(ours, asyncio.Protocol())
    turn()
    return transport, ours, theirs
def operation(transport, ours, theirs):
    transport.abort()
    return 0
def settle(transport, ours, theirs):
    transport.abort()
    turn()
    turn()
    ours.close()
    theirs.close()
""",
    "a transport's information": """
import asyncio
def prepare():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours = listener.accept()[0]
    transport = loop._make_socket_transport(ours, asyncio.Protocol())
    turn()
    return transport, theirs
def operation(transport, theirs):
    for name in ("socket", "peername", "sockname", "nothing"):
        transport.get_extra_info(name)
    repr(transport)
    return 0
def settle(transport, theirs):
    transport.abort()
    turn()
    turn()
    theirs.close()
""",
    "a connection accepted": """
import asyncio
listener = socket.create_server(("127.0.0.1", 0))
listener.setblocking(False)
loop._serve(asyncio.Protocol, listener, None, None, 100, None, None)
def prepare():
    return socket.create_connection(listener.getsockname()),
def operation(client):
    return in_the_loop()
operation.in_the_loop = True
def settle(client):
    client.close()
    for _ in range(3):
        turn()
""",
    "a datagram transport": """
import asyncio
def prepare():
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock,
def operation(sock):
    operation.made = None
    operation.made = loop._make_datagram_transport(sock, asyncio.DatagramProtocol())
    return 0
def settle(sock):
    if operation.made is not None:
        operation.made.abort()
        operation.made = None
    turn()
    turn()
    sock.close()
""",
    "datagrams": """
import asyncio
def prepare():
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    transport = loop._make_datagram_transport(sock, asyncio.DatagramProtocol())
    turn()
    return transport, sock.getsockname()
def operation(transport, name):
    transport.sendto(b"x", name)
    return 0
def settle(transport, name):
    turn()
    transport.abort()
    turn()
    turn()
""",
    "a datagram received": """
import asyncio
def prepare():
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    transport = loop._make_datagram_transport(sock, asyncio.DatagramProtocol())
    turn()
    transport.sendto(b"x", sock.getsockname())
    return transport,
def operation(transport):
    return in_the_loop()
operation.in_the_loop = True
def settle(transport):
    transport.abort()
    turn()
    turn()
""",
    "a pipe that is read": """
import asyncio
def prepare():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    return open(reading, "rb", 0), writing
def operation(file, writing):
    operation.made = None
    operation.made = loop._make_read_pipe_transport(file, asyncio.Protocol())
    return 0
def settle(file, writing):
    if operation.made is not None:
        operation.made.close()
        operation.made = None
    turn()
    turn()
    file.close()
    os.close(writing)
""",
    "a pipe that is written to": """
import asyncio
big = b"x" * 1_000_000
def prepare():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    transport = loop._make_write_pipe_transport(open(writing, "wb", 0), asyncio.BaseProtocol())
    turn()
    return transport, reading
def operation(transport, reading):
    transport.write(big)
    return 0
def settle(transport, reading):
    transport.abort()
    turn()
    turn()
    os.close(reading)
""",
    "sock_recv": """
import asyncio
def prepare():
    left, right = socket.socketpair()
    left.setblocking(False)
    return left, right
def operation(left, right):
    operation.coroutine = None
    coroutine = operation.coroutine = loop.sock_recv(left, 10)
    coroutine.send(None)
    return 0
def settle(left, right):
    coroutine, operation.coroutine = operation.coroutine, None
    if coroutine is not None:
        coroutine.close()
    turn()
    left.close()
    right.close()
""",
    "TLS": """
import asyncio, ssl, subprocess, tempfile
folder = tempfile.TemporaryDirectory()
certificate, key = folder.name + "/certificate", folder.name + "/key"
subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
     "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
    check=True, capture_output=True)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
trusting = ssl.create_default_context(cafile=certificate)
trusting.check_hostname = False
class Protocol(asyncio.Protocol):
    ends = 0
    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"x" * 100)
    def connection_lost(self, exc):
        Protocol.ends += 1
def make(sock, context, server_side):
    made.append(loop._make_ssl_transport(
        sock, Protocol(), context, server_side=server_side,
        **({} if server_side else {"server_hostname": "localhost"})))
made = []
def prepare():
    made.clear()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    make(ours, context, True)
    return ours, theirs
def operation(ours, theirs):
    make(theirs, trusting, False)
    return in_the_loop()
operation.in_the_loop = True
def settle(ours, theirs):
    for _ in range(10):
        turn()
    for transport in made:
        transport.abort()
    made.clear()
    for _ in range(4):
        turn()
    ours.close()
    theirs.close()
""",
    "a task": """
import asyncio
async def nothing():
    pass
def prepare():
    return nothing(),
def operation(coroutine):
    operation.task = loop.create_task(coroutine)
    return 0
def settle(coroutine):
    turn()
    turn()
    coroutine.close()
""",
    "a future": """
def prepare():
    return ()
def operation():
    loop.create_future()
    return 0
def settle():
    pass
""",
    "a new loop": """
def prepare():
    return ()
def operation():
    operation.made = guava_loop.new_event_loop()
    return 0
def settle():
    if results[-1] == 0:
        operation.made.close()
""",
}


# They run Python code of the standard library, and a debug interpreter asserts that a frame which
# a MemoryError leaves has an empty stack (ceval.c, STACK_LEVEL() == 0), which it need not have.
IN_FRAMES = {"TLS", "step that suspends", "step whose task is looked at", "a new loop"}


@pytest.mark.parametrize("name", CASES)
def test_starved(c_modules: Path, name: str) -> None:
    if name in IN_FRAMES and hasattr(sys, "gettotalrefcount"):
        pytest.skip("a debug Python cannot run out of memory inside its own frames")
    if name == "TLS" and shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    code = PREAMBLE + CASES[name] + "\nstarve(prepare, operation, settle)\nfinish()\n"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        env={**os.environ, "PYTHONPATH": str(c_modules)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results) < 500  # past its last allocation it works as ever
