"""Nothing is left behind: memory blocks after many operations, counted in fresh processes."""

import subprocess
import sys
import textwrap

import pytest

OPERATIONS = {
    "call_soon": "loop.call_soon(print).cancel(); turn()",
    "call_soon with arguments": "loop.call_soon(noop, 1, 2, 3); turn()",
    "call_soon that fails": "loop.call_soon(fail); turn()",
    "call_soon with a wrong keyword": "attempt(lambda: loop.call_soon(noop, spam=1))",
    "call_soon_threadsafe": "loop.call_soon_threadsafe(noop, 1); turn()",
    "call_later": "loop.call_later(0, noop, 1); turn()",
    "call_later cancelled": "loop.call_later(9, noop, 1, 2).cancel()",
    "a handle's attributes": "handle = loop.call_soon(noop, 1); repr(handle); handle._args;"
    " handle._callback; handle.get_context() if hasattr(handle, 'get_context') else 0;"
    " handle.cancel(); turn()",
    "timers compared": "a, b = loop.call_at(1, noop), loop.call_at(1, noop); a == b; a < b;"
    " hash(a); a.cancel(); b.cancel()",
    "readers": "loop.add_reader(left, noop); turn(); loop.add_writer(left, noop); turn();"
    " loop.remove_reader(left); turn(); loop.remove_writer(left); turn()",
    "a file refused": "attempt(lambda: loop.add_reader(file, noop))",
    "queues": "len(loop._ready), list(loop._scheduled), loop._selector.get_map()",
    "asyncio's handles": "loop._add_callback(asyncio.Handle(noop, (), loop)); turn()",
    "an exception on its way out": "loop.call_soon(leave); attempt(loop.run_forever)",
    "a task": "loop.run_until_complete(asyncio.sleep(0))",
    "debug mode": "loop.set_debug(True); loop.call_soon(noop); turn(); loop.set_debug(False)",
    "datagrams": "loop.run_until_complete(datagrams())",
    "datagrams that wait": "loop.run_until_complete(waiting_datagrams())",
    "pipes": "loop.run_until_complete(pipes())",
    "broken pipes": "loop.run_until_complete(pipes(broken=True))",
    "a loop": "guava_loop.new_event_loop().close()",
}

PROGRAM = """
import asyncio, gc, logging, os, socket, sys, tempfile
import guava_loop

logging.disable(logging.CRITICAL)
loop = guava_loop.new_event_loop()
left, right = socket.socketpair()
file = tempfile.TemporaryFile()
def noop(*args):
    pass
def fail():
    raise ValueError
def leave():
    raise SystemExit
def turn():
    loop.stop()
    loop.run_forever()
def attempt(call):
    try:
        call()
    except (Exception, SystemExit):
        pass
class Protocol(asyncio.Protocol, asyncio.DatagramProtocol):
    def __init__(self):
        self.over, self.came = loop.create_future(), loop.create_future()
    def datagram_received(self, data, address):
        self.came.set_result(address)
    def connection_lost(self, error):
        self.over.set_result(error)
async def datagrams():
    receiver, there = await loop.create_datagram_endpoint(Protocol, local_addr=("127.0.0.1", 0))
    name = receiver.get_extra_info("sockname")
    sender, here = await loop.create_datagram_endpoint(Protocol, remote_addr=name)
    sender.sendto(b"x" * 100)
    receiver.sendto(b"back", await there.came)
    attempt(lambda: sender.sendto(b"x", ("127.0.0.1", 1)))
    attempt(lambda: sender.sendto("x"))
    attempt(lambda: receiver.sendto(b"x", ("not a host", -1)))
    repr(sender)
    sender.abort()
    receiver.close()
    await here.over
    await there.over
async def waiting_datagrams():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    sender, here = await loop.create_datagram_endpoint(Protocol, sock=left)
    while sender.get_write_buffer_size() < 1000:
        sender.sendto(b"x" * 500)
    sender.abort()
    await here.over
    right.close()
async def pipes(broken=False):
    r, w = os.pipe()
    reader, there = await loop.connect_read_pipe(Protocol, open(r, "rb", 0))
    writer, here = await loop.connect_write_pipe(Protocol, open(w, "wb", 0))
    for data in (bytes(70_000), bytearray(100), memoryview(bytes(5000))):
        writer.write(data)
    repr(reader), repr(writer)
    (reader if broken else writer).close()
    await here.over
    await there.over
def repeat(count):
    for _ in range(count):
        {operation}
    gc.collect()
    return sys.getallocatedblocks()

repeat(2000)
counts = [repeat(2000) for _ in range(4)]
# What the interpreter keeps for itself grows now and then; a leak grows in every round.
print(min((after - before for before, after in zip(counts, counts[1:])), key=abs))
"""


@pytest.mark.parametrize("name", OPERATIONS)
def test_memory_is_flat(name: str) -> None:
    program = PROGRAM.format(operation=OPERATIONS[name])
    command = [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    # A leak of one block per operation would be 2000.
    assert abs(int(done.stdout)) < 100
