"""A socket that its owner closes beneath a transport: a mistake, after which the loop goes on."""

import asyncio
import os
import socket

import guava_loop
import pytest


class Recorder(asyncio.Protocol):
    def __init__(self):
        self.lost = []
        self.over = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc):
        self.lost.append(exc)
        self.over.set_result(None)


def rob(factory, how):
    """Closes a socket beneath its transport, aborts that, and tells what the protocol was told."""

    async def main():
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        transport, protocol = await loop.create_connection(Recorder, sock=ours)
        await how(transport, ours)
        theirs.close()
        if not transport.is_closing():
            transport.abort()
        await protocol.over
        assert await asyncio.sleep(0.01, "the loop goes on") == "the loop goes on"
        return protocol.lost

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: None)
        return runner.run(main())


async def at_once(transport, sock):
    sock.close()


async def before_a_turn(transport, sock):
    sock.close()
    await asyncio.sleep(0.01)


async def while_paused(transport, sock):
    transport.pause_reading()
    await asyncio.sleep(0.01)
    sock.close()
    transport.resume_reading()
    await asyncio.sleep(0.01)


async def for_a_file(transport, sock):
    """Its number belongs to a file that cannot be polled when the loop comes to it."""
    number = sock.fileno()
    sock.close()
    again = os.open(__file__, os.O_RDONLY)
    try:
        assert again == number
        await asyncio.sleep(0.01)
    finally:
        os.close(again)


@pytest.mark.parametrize("how", [at_once, before_a_turn, while_paused, for_a_file])
def test_a_socket_closed_beneath_its_transport(how):
    (lost,) = rob(guava_loop.new_event_loop, how)
    assert lost is None or isinstance(lost, OSError)


@pytest.mark.parametrize("how", [at_once, before_a_turn])
def test_asyncio_goes_on_too(how):
    (lost,) = rob(asyncio.SelectorEventLoop, how)
    assert lost is None or isinstance(lost, OSError)
