"""Forks, signals, threads, the end of the program and the want of descriptors, amid traffic.

Each program runs in a process of its own and is judged by what it prints.
"""

import asyncio
import socket
import subprocess
import sys
import textwrap
import threading
from typing import Any

import guava_loop
import pytest

PREAMBLE = """
import asyncio, errno, gc, os, resource, signal, socket, sys, tempfile, threading, time
import guava_loop

class Echo(asyncio.Protocol):
    made = lost = 0
    def connection_made(self, transport):
        Echo.made += 1
        self.transport = transport
    def data_received(self, data):
        self.transport.write(data)
    def connection_lost(self, exc):
        Echo.lost += 1

async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()

async def ask(address, data=b"hello"):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    got = await reader.readexactly(len(data))
    writer.close()
    await writer.wait_closed()
    assert got == data
    return True
"""


def run(program: str, *, check: bool = True, **options: Any) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PREAMBLE + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )
    assert not check or done.returncode == 0, done.stderr
    assert "Fatal Python error" not in done.stderr, done.stderr
    return done.stdout, done.stderr


# ---- the end of the program ---------------------------------------------------------------------

ALIVE = {
    "connections": """
        server, address = await serve()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"x" * 5_000_000)
    """,
    "paused connections": """
        left, right = socket.socketpair()
        kept.append(right)
        transport, _ = await loop.connect_accepted_socket(Echo, left)
        transport.pause_reading()
        transport.write(b"x" * 1_000_000)
    """,
    "datagrams": """
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        transport.sendto(b"x", transport.get_extra_info("sockname"))
    """,
    "pipes": """
        reading, writing = os.pipe()
        kept.append(await loop.connect_read_pipe(asyncio.Protocol, open(reading, "rb", 0)))
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, open(writing, "wb", 0))
        transport.write(b"x" * 1_000_000)
    """,
    "a subprocess": """
        kept.append(await asyncio.create_subprocess_exec(
            sys.executable, "-S", "-c", "open(0).read()", stdin=-1, stdout=-1))
    """,
    "sockets": """
        left, right = socket.socketpair()
        left.setblocking(False)
        kept.append(left)
        kept.append(loop.create_task(loop.sock_recv(left, 10)))
        right.setblocking(False)
        kept.append(loop.create_task(loop.sock_sendall(right, b"x" * 5_000_000)))
    """,
    "a sendfile": """
        left, right = socket.socketpair()
        kept.append(right)
        file = tempfile.TemporaryFile()
        file.truncate(5_000_000)
        transport, _ = await loop.connect_accepted_socket(Echo, left)
        kept.append(loop.create_task(loop.sendfile(transport, file)))
    """,
    "an executor": """
        kept.append(loop.run_in_executor(None, time.sleep, 0.1))
    """,
}


@pytest.mark.parametrize("keeper", ["the module", "a cycle", "a daemon thread"])
def test_the_program_ends(keeper: str) -> None:
    """With everything alive at once, kept by the module, by cycles of garbage, or in use."""
    everything = "\n".join(textwrap.dedent(what) for what in ALIVE.values())
    body = f"""
kept = []
async def main():
    loop = asyncio.get_running_loop()
{textwrap.indent(everything, "    ")}
    await asyncio.sleep(0.01)
    kept.append(locals())
"""
    ends = {
        "the module": """
            loop = guava_loop.new_event_loop()
            loop.run_until_complete(main())
            print("end")
            """,
        "a cycle": """
            loop = guava_loop.new_event_loop()
            loop.run_until_complete(main())
            loop.kept = kept
            kept.append(loop)
            gc.disable()
            del loop, kept
            print("end")
            """,
        "a daemon thread": """
            started = threading.Event()
            async def forever():
                await main()
                server, address = await serve()
                started.set()
                while True:
                    await ask(address)
            threading.Thread(target=lambda: guava_loop.run(forever()), daemon=True).start()
            started.wait()
            print("end")
            """,
    }
    out, err = run(body + textwrap.dedent(ends[keeper]))
    assert out == "end\n", err


@pytest.mark.parametrize("what", ALIVE)
def test_the_loop_is_closed_amid(what: str) -> None:
    """And what lived on it may be used and dropped in any order."""
    body = f"""
kept = []
async def main():
    loop = asyncio.get_running_loop()
{textwrap.indent(textwrap.dedent(ALIVE[what]), "    ")}
    await asyncio.sleep(0.01)
    kept.append(locals())
"""
    after = """
        import warnings
        warnings.simplefilter("ignore")
        for _ in range(2):
            loop = guava_loop.new_event_loop()
            loop.run_until_complete(main())
            loop.close()
            for thing in list(kept[-1].values()):
                for method in ("write", "close", "abort", "pause_reading", "resume_reading"):
                    if isinstance(thing, asyncio.BaseTransport) and hasattr(thing, method):
                        try:
                            getattr(thing, method)(*([b"x"] if method == "write" else []))
                        except (RuntimeError, AttributeError):
                            pass  # the loop is closed
                repr(thing)
            thing = loop = None
            kept.clear()
            gc.collect()
        print("end")
        """
    out, err = run(body + textwrap.dedent(after))
    assert out == "end\n", err
    # asyncio's subprocess transport, when it is collected, closes pipes by a loop that is gone.
    assert what == "a subprocess" or "Traceback" not in err, err


# ---- forks --------------------------------------------------------------------------------------


def test_a_fork_amid_traffic() -> None:
    """The child runs a loop of its own, drops the parent's and leaves; the parent's goes on."""
    out, _ = run(
        """
        def child():
            async def main():
                server, address = await serve()
                return await ask(address)
            loop = guava_loop.new_event_loop()
            print("child", loop.run_until_complete(main()), flush=True)
            loop.close()

        async def main():
            server, address = await serve()
            reader, writer = await asyncio.open_connection(*address)
            for number in range(3):
                writer.write(b"x" * 300_000)
                pid = os.fork()
                if pid == 0:
                    try:
                        asyncio.events._set_running_loop(None)
                        child()
                        gc.collect()
                    finally:
                        os._exit(0)
                assert len(await reader.readexactly(300_000)) == 300_000
                assert await ask(address)
                await asyncio.get_running_loop().run_in_executor(None, os.waitpid, pid, 0)
                print("parent", flush=True)
            writer.close()
        guava_loop.run(main())
        """
    )
    assert sorted(out.split("\n")) == sorted(["child True", "parent"] * 3 + [""])


def test_the_child_of_a_fork_closes_what_it_inherited() -> None:
    """Its copies of the transports and of the loop; the parent does not notice."""
    out, _ = run(
        """
        async def main():
            loop = asyncio.get_running_loop()
            server, address = await serve()
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            return server, reader, writer, address

        loop = guava_loop.new_event_loop()
        server, reader, writer, address = loop.run_until_complete(main())
        pid = os.fork()
        if pid == 0:
            writer.transport.abort()
            server.close()
            loop.run_until_complete(asyncio.sleep(0.01))
            loop.close()
            print("child", flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        async def again():
            assert await ask(address)
        loop.run_until_complete(again())
        print("parent", flush=True)
        """
    )
    assert out == "child\nparent\n"


# ---- signals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["connection_made", "data_received", "eof_received"])
def test_ctrl_c_in_a_callback(where: str) -> None:
    """Leaves the loop, which then goes on."""
    out, err = run(
        f"""
        class Interrupted(Echo):
            def {where}(self, *args):
                if args and where != "data_received":
                    self.transport = args[0]
                raised.append(1)
                if len(raised) == 1:
                    signal.raise_signal(signal.SIGINT)
                    for _ in range(100): pass
                return super().{where}(*args)
        where, raised = {where!r}, []
        async def main():
            loop = asyncio.get_running_loop()
            left, right = socket.socketpair()
            await loop.connect_accepted_socket(Interrupted, left)
            right.setblocking(False)
            right.send(b"x")
            await asyncio.sleep(0.05)
            right.shutdown(socket.SHUT_WR)
            await asyncio.sleep(0.05)
        loop = guava_loop.new_event_loop()
        task = loop.create_task(main())
        try:
            loop.run_until_complete(task)
        except KeyboardInterrupt:
            print("interrupted")
        loop.run_until_complete(task)
        loop.close()
        print("end", Echo.lost)
        """
    )
    assert out in ("interrupted\nend 1\n", "interrupted\nend 0\n"), err


def test_ctrl_c_amid_traffic() -> None:
    """Again and again, at moments of its own choice; run() cancels and everything is closed."""
    out, err = run(
        """
        import random
        chance = random.Random(5)
        async def main():
            server, address = await serve()
            async def talk():
                while True:
                    await ask(address, b"x" * 10_000)
            await asyncio.gather(*(talk() for _ in range(5)))
        before = None
        for number in range(8):
            timer = threading.Timer(
                chance.random() * 0.05 + 0.02, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            try:
                guava_loop.run(main())
            except KeyboardInterrupt:
                pass
            timer.join()
            gc.collect()
            if before is None:
                before = len(os.listdir("/dev/fd"))
        print(len(os.listdir("/dev/fd")) - before)
        """
    )
    assert out == "0\n", err


# ---- threads ------------------------------------------------------------------------------------


def test_storms_from_threads_amid_traffic() -> None:
    """Every call arrives, in the order of its thread, while connections are served."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        came: dict[int, list[int]] = {number: [] for number in range(6)}
        over = loop.create_future()

        def note(thread: int, number: int) -> None:
            came[thread].append(number)
            if sum(map(len, came.values())) == 6 * 2000:
                over.set_result(None)

        def storm(thread: int) -> None:
            for number in range(2000):
                loop.call_soon_threadsafe(note, thread, number)

        async def echo(reader: Any, writer: Any) -> None:
            while data := await reader.read(1000):
                writer.write(data)
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        threads = [threading.Thread(target=storm, args=(number,)) for number in came]
        for thread in threads:
            thread.start()
        while not over.done():
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
        for thread in threads:
            thread.join()
        assert all(numbers == list(range(2000)) for numbers in came.values())
        writer.close()
        server.close()

    guava_loop.run(main())


def test_loops_with_traffic_in_many_threads() -> None:
    results: list[int] = []

    async def echo(reader: Any, writer: Any) -> None:
        while data := await reader.read(10_000):
            writer.write(data)
        writer.close()

    async def main() -> int:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        total = 0
        for size in (1, 1000, 200_000) * 3:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"x" * size)
            total += len(await reader.readexactly(size))
            writer.close()
            await writer.wait_closed()
        server.close()
        return total

    def work() -> None:
        for _ in range(2):
            results.append(guava_loop.run(main()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [3 * 201_001] * 16


def test_threads_that_take_the_loop_in_turns() -> None:
    """A loop with a live connection runs on one thread after the other."""
    loop = guava_loop.new_event_loop()

    async def echo(reader: Any, writer: Any) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    async def begin() -> Any:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        return server, *await asyncio.open_connection(*server.sockets[0].getsockname())

    server, reader, writer = loop.run_until_complete(begin())

    async def talk(data: bytes) -> bytes:
        writer.write(data)
        return await reader.readexactly(len(data))  # type: ignore[no-any-return]

    got: list[bytes] = []
    for number in range(4):
        data = b"%d" % number
        thread = threading.Thread(
            target=lambda data=data: got.append(loop.run_until_complete(talk(data)))
        )
        thread.start()
        thread.join()
    assert got == [b"0", b"1", b"2", b"3"]
    writer.close()
    server.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.mark.parametrize("call", ["close", "abort", "call_soon", "call_later"])
def test_the_wrong_thread_in_debug_mode(alike: Any, call: str) -> None:

    async def scenario(play: Any) -> None:
        play.loop.set_debug(True)
        play.loop.slow_callback_duration = 1000
        left, right = socket.socketpair()
        with right:
            transport, _ = await play.loop.connect_accepted_socket(asyncio.Protocol, left)

            def wrong() -> None:
                try:
                    if call == "call_soon":
                        play.loop.call_soon(play.note, "called")
                    elif call == "call_later":
                        play.loop.call_later(0, play.note, "called")
                    else:
                        getattr(transport, call)()
                except RuntimeError as error:
                    play.note("refused", str(error))

            thread = threading.Thread(target=wrong)
            thread.start()
            thread.join()
            transport.abort()
            await play.settle()

    history = alike(scenario)
    assert history == [history[0]] and history[0][0] == "refused"


# ---- the want of descriptors --------------------------------------------------------------------


def test_a_server_without_descriptors_recovers() -> None:
    """It says so, rests, and serves those who waited."""
    out, err = run(
        """
        import asyncio.constants
        asyncio.constants.ACCEPT_RETRY_DELAY = 0.05
        errors = []
        async def main():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: errors.append(context))
            server, address = await serve()
            clients = [socket.socket() for _ in range(5)]
            for client in clients:
                client.setblocking(False)
            taken = []
            try:
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError as error:
                assert error.errno == errno.EMFILE
            for client in clients:
                await loop.sock_connect(client, address)
                await loop.sock_sendall(client, b"x")
            while not errors:
                await asyncio.sleep(0.01)
            assert Echo.made == 0
            for descriptor in taken:
                os.close(descriptor)
            for client in clients:
                assert await loop.sock_recv(client, 10) == b"x"
                client.close()
            print(Echo.made, {context["message"] for context in errors})
            while Echo.lost < 5:
                await asyncio.sleep(0.01)
            server.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        guava_loop.run(main())
        print("end")
        """
    )
    assert out == "5 {'socket.accept() out of system resource'}\nend\n", err


def test_a_client_without_descriptors() -> None:
    out, err = run(
        """
        async def main():
            server, address = await serve()
            taken = []
            try:
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                pass
            for making in (
                lambda: asyncio.open_connection(*address),
                lambda: asyncio.get_running_loop().create_datagram_endpoint(
                    asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)),
                lambda: asyncio.create_subprocess_exec("true", stdin=-1),
            ):
                try:
                    await making()
                except OSError as error:
                    print(errno.errorcode[error.errno])
            for descriptor in taken:
                os.close(descriptor)
            print(await ask(address))
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        guava_loop.run(main())
        """
    )
    assert out == "EMFILE\nEMFILE\nEMFILE\nTrue\n", err
