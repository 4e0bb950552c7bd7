"""Loops in programs of many processes and threads; files by aiofiles."""

import asyncio
import concurrent.futures
import multiprocessing
import os
import sys
import threading

import aiofiles
import pytest
from children import child, talk, work

BIG = os.urandom(1 << 20) * 4


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pool(run, kind, method):
    """A pool of processes, asked from a running loop: `fork` copies that loop while it runs."""

    async def main():
        context = multiprocessing.get_context(method)
        loop = asyncio.get_running_loop()
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            asked = [loop.run_in_executor(pool, work, kind, f"n{n}") for n in range(10)]
            answers = await asyncio.gather(*asked)
        assert [text for _, text in answers] == [f"N{n}" for n in range(10)]
        assert os.getpid() not in {pid for pid, _ in answers}
        # The loop that was copied is as it was.
        assert await talk("here") == "HERE"

    run(main)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pipe_to_a_process(run, kind, method):
    """The pipe of multiprocessing, watched by the loop."""

    async def main():
        context = multiprocessing.get_context(method)
        here, there = context.Pipe()
        process = context.Process(target=child, args=(kind, there))
        process.start()
        there.close()
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(here.fileno(), ready.set)
        await ready.wait()
        loop.remove_reader(here.fileno())
        pid, text = here.recv()
        assert (pid, text) == (process.pid, "CHILD")
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0
        here.close()
        process.close()

    run(main)


def test_threads_with_loops(kind):
    """A loop in each of many threads, at once."""
    results = {}

    def thread(number):
        results[number] = work(kind, f"n{number}")[1]

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert results == {number: f"N{number}" for number in range(20)}


def test_to_thread(run):
    async def main():
        here = threading.get_ident()
        idents = await asyncio.gather(*(asyncio.to_thread(threading.get_ident) for _ in range(50)))
        assert here not in idents
        with pytest.raises(ValueError):
            await asyncio.to_thread(int, "none")

    run(main)


def test_coroutines_from_threads(run):
    async def main():
        loop = asyncio.get_running_loop()

        async def double(number):
            await asyncio.sleep(0)
            return number * 2

        def ask(number):
            return asyncio.run_coroutine_threadsafe(double(number), loop).result(60)

        answers = await asyncio.gather(*(asyncio.to_thread(ask, number) for number in range(200)))
        assert answers == [number * 2 for number in range(200)]

    run(main)


def test_files(run, tmp_path):
    async def main():
        async with aiofiles.open(tmp_path / "file", "wb") as file:
            await file.write(BIG)
        async with aiofiles.open(tmp_path / "file", "rb") as file:
            assert await file.read() == BIG
        async with aiofiles.open(tmp_path / "lines", "w") as file:
            await file.writelines([f"{number}\n" for number in range(1000)])
        async with aiofiles.open(tmp_path / "lines") as file:
            assert [int(line) async for line in file] == list(range(1000))

    run(main)


def test_many_children(run):
    """Asyncio's subprocesses: thirty at once, through pipes in both directions."""

    async def main():
        async def one(number):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-c", "import sys; sys.stdout.write(sys.stdin.read()[::-1]); sys.exit(7)"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await process.communicate(b"%d" % number * 100_000)
            return out, process.returncode

        answers = await asyncio.gather(*(one(number) for number in range(10, 40)))
        for number, (out, code) in zip(range(10, 40), answers, strict=True):
            assert out == (b"%d" % number * 100_000)[::-1]
            assert code == 7

    run(main)
