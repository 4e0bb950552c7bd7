"""What the processes of test_processes.py run. A module by itself, because a new process must be
able to import it by its name."""

import asyncio
import os

import guava_loop


def factory_of(kind):
    return asyncio.SelectorEventLoop if kind == "asyncio" else guava_loop.new_event_loop


async def talk(text):
    """Serves and asks once; a whole loop's work."""

    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(text.encode() + b"\n")
        got = await reader.read()
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.001)
    return got.decode().strip()


def work(kind, text):
    """What a process of the pool does: a loop of its own."""
    with asyncio.Runner(loop_factory=factory_of(kind)) as runner:
        return os.getpid(), runner.run(talk(text))


def child(kind, pipe):
    pipe.send(work(kind, "child"))
    pipe.close()
