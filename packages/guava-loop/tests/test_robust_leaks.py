"""Connections of every kind, ended in every way, leave nothing behind: no memory, no descriptor.

Each runs in a process of its own. GUAVA_REPEAT=2000 repeats each 16 000 times.
"""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

REPEAT = int(os.environ.get("GUAVA_REPEAT", "80"))
ROUNDS = 4  # that are compared with as many before

PROGRAM = """
import asyncio, contextlib, gc, logging, os, socket, ssl, struct, subprocess, sys, tempfile
import guava_loop

logging.disable(logging.CRITICAL)
REPEAT = {repeat}

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.transport.write(data)

class BufferedEcho(asyncio.BufferedProtocol):
    def __init__(self):
        self.buffer = bytearray(100)
    def connection_made(self, transport):
        self.transport = transport
    def get_buffer(self, hint):
        return self.buffer
    def buffer_updated(self, n):
        self.transport.write(self.buffer[:n])

class DatagramEcho(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)

class Client(asyncio.Protocol):
    fails = False
    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.lost = self.loop.create_future()
        self.came = self.loop.create_future()
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        if not self.came.done():
            self.came.set_result(data)
        if self.fails:
            raise ValueError
    def datagram_received(self, data, addr):
        self.data_received(data)
    def error_received(self, exc):
        pass
    def connection_lost(self, exc):
        self.lost.set_result(None)

class Failing(Client):
    fails = True

async def talk(connecting):
    transport, client = await connecting
    transport.write(b"hello")
    await client.came
    return transport, client

{preparation}

async def operation(loop):
{operation}

async def repeat(loop):
    for _ in range(REPEAT):
        await operation(loop)
    # What is on its way to its end gets there.
    for _ in range(20):
        await asyncio.sleep(0.0005)
    gc.collect()
    return sys.getallocatedblocks(), len(os.listdir("/dev/fd")), hasattr(
        sys, "gettotalrefcount"
    ) and sys.gettotalrefcount()

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    await prepare(loop)
    for _ in range({before}):  # fills what is kept: addresses seen, numbers of descriptors
        await repeat(loop)
    # What is still on its way, and what the interpreter keeps for itself, is there in one round
    # and gone in the next; a leak is there in all that follow, however often one looks.
    for _ in range(3):
        counts = [await repeat(loop) for _ in range(2 * {rounds})]
        grown = [min(many[{rounds}:]) - min(many[:{rounds}]) for many in zip(*counts)]
        if abs(grown[0]) < {room}:
            break
    for many in grown:
        print(many)
    print(gc.garbage)

guava_loop.run(main())
"""

TCP = """
async def prepare(loop):
    global port
    server = await loop.create_server({protocol}, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
"""
PREPARATIONS = {
    "nothing": "async def prepare(loop): pass",
    "tcp": TCP.format(protocol="Echo"),
    "buffered": TCP.format(protocol="BufferedEcho"),
    "failing": TCP.format(protocol="Failing"),
    "unix": """
async def prepare(loop):
    global path
    path = os.path.join(tempfile.mkdtemp(), "socket")
    await loop.create_unix_server(Echo, path)
""",
    "streams": """
async def echo(reader, writer):
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()
    writer.close()
async def prepare(loop):
    global port
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
""",
    "udp": """
async def prepare(loop):
    global where
    transport, _ = await loop.create_datagram_endpoint(
        DatagramEcho, local_addr=("127.0.0.1", 0))
    where = transport.get_extra_info("sockname")
""",
    "tls": """
async def prepare(loop):
    global port, client_context, strict
    folder = tempfile.mkdtemp()
    certificate, key = os.path.join(folder, "c"), os.path.join(folder, "k")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    client_context = ssl.create_default_context(cafile=certificate)
    client_context.check_hostname = False
    strict = ssl.create_default_context()
    server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
""",
}

TALK = 'transport, client = await talk(loop.create_connection(Client, "127.0.0.1", port))'
SECURE = (
    "transport, client = await talk("
    'loop.create_connection(Client, "127.0.0.1", port, ssl=client_context))'
)
OPERATIONS = {
    "close": ("tcp", f"{TALK}; transport.close(); await client.lost"),
    "abort": ("tcp", f"{TALK}; transport.abort(); await client.lost"),
    "reset": (
        "tcp",
        f"{TALK}; transport.get_extra_info('socket').setsockopt(socket.SOL_SOCKET,"
        " socket.SO_LINGER, struct.pack('ii', 1, 0)); transport.close(); await client.lost",
    ),
    "half-close": ("tcp", f"{TALK}; transport.write_eof(); await client.lost"),
    "close with bytes queued": (
        "tcp",
        f"{TALK}; transport.write(b'x' * 600_000); transport.abort(); await client.lost",
    ),
    "a buffered protocol": ("buffered", f"{TALK}; transport.close(); await client.lost"),
    "a server's exception": (
        "failing",
        "transport, client = await loop.create_connection(Client, '127.0.0.1', port);"
        " transport.write(b'x'); await client.lost",
    ),
    "extra information": (
        "tcp",
        f"{TALK}; [transport.get_extra_info(name) for name in ('socket', 'peername',"
        " 'sockname', 'else')]; repr(transport); transport.x = transport;"
        " transport.close(); await client.lost; transport.get_extra_info('socket')",
    ),
    "forgotten and paused": (
        "tcp",
        f"{TALK}; transport.pause_reading(); client.x = transport; del transport, client",
    ),
    "unix": (
        "unix",
        "transport, client = await talk(loop.create_unix_connection(Client, path));"
        " transport.close(); await client.lost",
    ),
    "streams": (
        "streams",
        "reader, writer = await asyncio.open_connection('127.0.0.1', port); writer.write(b'x');"
        " await reader.readexactly(1); writer.close(); await writer.wait_closed()",
    ),
    "a refused connection": (
        "nothing",
        "with contextlib.suppress(OSError): await loop.create_connection(Client, '127.0.0.1', 1)",
    ),
    "a server": (
        "nothing",
        "server = await loop.create_server(Echo, '127.0.0.1', 0); server.close();"
        " await server.wait_closed()",
    ),
    "datagrams": (
        "udp",
        "transport, client = await loop.create_datagram_endpoint(Client, remote_addr=where);"
        " transport.sendto(b'x'); await client.came; transport.close(); await client.lost",
    ),
    "datagrams aborted": (
        "udp",
        "transport, client = await loop.create_datagram_endpoint(Client, remote_addr=where);"
        " transport.sendto(b'x'); transport.abort(); await client.lost",
    ),
    "pipes": (
        "nothing",
        "reading, writing = os.pipe(); _, client = await loop.connect_read_pipe(Client,"
        " open(reading, 'rb', 0)); transport, _ = await loop.connect_write_pipe(Client,"
        " open(writing, 'wb', 0)); transport.write(b'x' * 100); transport.close();"
        " await client.lost",
    ),
    "sock_recv cancelled": (
        "nothing",
        "left, right = socket.socketpair(); left.setblocking(False);"
        " task = loop.create_task(loop.sock_recv(left, 10)); await asyncio.sleep(0);"
        " task.cancel(); await asyncio.wait([task]); left.close(); right.close()",
    ),
    "sock_sendall and sock_recv": (
        "nothing",
        "left, right = socket.socketpair(); left.setblocking(False); right.setblocking(False);"
        " task = loop.create_task(loop.sock_sendall(left, b'x' * 500_000)); n = 0\n"
        "while n < 500_000: n += len(await loop.sock_recv(right, 100_000))\n"
        "await task; left.close(); right.close()",
    ),
    "TLS": ("tls", f"{SECURE}; transport.close(); await client.lost"),
    "TLS aborted": ("tls", f"{SECURE}; transport.abort(); await client.lost"),
    "TLS refused": (
        "tls",
        "with contextlib.suppress(OSError): await loop.create_connection(Client, '127.0.0.1',"
        " port, ssl=strict, server_hostname='other')",
    ),
    "TLS cancelled": (
        "tls",
        "task = loop.create_task(loop.create_connection(Client, '127.0.0.1', port,"
        " ssl=client_context)); await asyncio.sleep(0.0005); task.cancel();"
        " await asyncio.wait([task]); task.cancelled() or task.result()[0].abort()",
    ),
}
if shutil.which("true") is not None:
    OPERATIONS["subprocess"] = (
        "nothing",
        "process = await asyncio.create_subprocess_exec('true', stdin=subprocess.PIPE,"
        " stdout=subprocess.PIPE); await process.communicate(b'x')",
    )


@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_is_left(name: str) -> None:
    preparation, operation = OPERATIONS[name]
    if preparation == "tls" and shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    repeat = max(REPEAT // 10, 20) if name == "subprocess" else REPEAT
    # One of each operation would be ROUNDS * repeat. What subprocesses leave in caches of the
    # interpreter takes a thousand of them to end.
    room = ROUNDS * (6 * repeat if name == "subprocess" else repeat * 2 // 3)
    program = PROGRAM.format(
        repeat=repeat,
        room=room,
        rounds=ROUNDS,
        # 128 addresses of datagrams are kept, by chance where; for the others what the interpreter
        # keeps has its size after half as many rounds. The slow ones repeat enough in four.
        before=4 if name == "subprocess" or preparation == "tls" else 24,
        preparation=PREPARATIONS[preparation],
        operation=textwrap.indent(operation, "    "),
    )
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    blocks, descriptors, references, garbage = done.stdout.split("\n")[:4]
    assert abs(int(blocks)) < room
    assert abs(int(references)) < room
    assert abs(int(descriptors)) < ROUNDS * repeat // 3
    assert garbage == "[]"
