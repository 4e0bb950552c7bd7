"""loop.watch() in programs of their own: what keeps the interpreter, forks, the end, memory."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


def run(program: str) -> tuple[str, str]:
    """Output and errors of a program of its own."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_code_that_keeps_the_interpreter_is_shown_by_faulthandler():
    """No thread of Python can run: faulthandler's own can."""
    _, errors = run(
        """
        import asyncio, guava_loop
        async def stubborn():
            loop = asyncio.get_running_loop()
            await asyncio.sleep(0.01)
            took, steps = 0.0, 1_000_000
            while took < 0.4:  # in one call, which looks at no other thread
                began = loop.time()
                sum(range(steps))
                took, steps = loop.time() - began, steps * 2
        async def main():
            asyncio.get_running_loop().watch(0.02, dump_after=0.05)
            await stubborn()
        guava_loop.run(main())
        """
    )
    assert "Timeout (0:00:00.075" in errors
    assert "in stubborn" in errors
    assert "The event loop was kept for" in errors


def test_without_a_file_for_faulthandler():
    _, errors = run(
        """
        import sys, time, io, guava_loop
        stderr, sys.stderr = sys.stderr, io.StringIO()
        loop = guava_loop.new_event_loop()
        seen = []
        loop.watch(0.01, dump_after=0.02, report=seen.append)
        loop.call_soon(time.sleep, 0.1)
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        assert seen[-1].over
        """
    )
    assert errors == ""


@pytest.mark.skipif(
    "GUAVA_SANITIZED" in os.environ,
    reason="the sanitizer's allocator keeps its locks in the child of a process with threads",
)
def test_a_fork_in_a_watched_loop():
    out, errors = run(
        """
        import asyncio, faulthandler, os, sys, time, guava_loop
        seen = []
        loop = guava_loop.new_event_loop()
        loop.watch(0.01, dump_after=10, report=seen.append)
        async def main():
            for _ in range(10):
                await asyncio.sleep(0.005)
            child = os.fork()
            time.sleep(0.05)
            if child == 0:
                await asyncio.sleep(0)
                assert [b.task for b in seen] == ["Task-1"], seen
                return None
            await asyncio.sleep(0.01)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        status = loop.run_until_complete(main())
        if status is None:
            # Here the next run has a thread of its own again.
            seen.clear()
            def stuck():
                watch = loop._watched
                end = time.monotonic() + 30
                before = watch._caught[0]
                while watch._caught[0] == before and time.monotonic() < end:
                    time.sleep(0.001)
            loop.call_soon(stuck)
            loop.call_soon(loop.stop)
            loop.run_forever()
            assert [f.name for f in seen[0].stack] == ["stuck"]
            faulthandler.cancel_dump_traceback_later()
            loop.close()
            os._exit(5)
        print(status)
        loop.close()
        """
    )
    assert out == "5\n" and "Traceback" not in errors  # newer Pythons warn of forks with threads


def test_no_memory():
    """Looking and telling, with each allocation failing in turn."""
    pytest.importorskip("_testcapi", reason="this Python was built without its test modules")
    out, _ = run(
        """
        import _testcapi, time, guava_loop
        loop = guava_loop.new_event_loop()
        loop.set_debug(False)
        loop.set_exception_handler(lambda loop, context: None)
        told = []
        def tell(*unused):
            told.append(1)
        def late(start):
            # Only a turn of the loop starves, and not asyncio's start of it.
            loop.call_soon(_testcapi.set_nomemory, start, start + 1)
            loop.call_soon(int)
            loop.call_soon(_testcapi.remove_mem_hooks)
            loop.call_soon(loop.stop)
            loop.run_forever()
        calls = [
            loop._stats,
            lambda: loop._watch(tell, 1.0),
            lambda: loop._watch_wake(int),
            loop._look, loop._look_at, loop._look_frame,
        ]
        failed = 0
        for call in calls:
            for start in range(1, 40):
                _testcapi.set_nomemory(start, start + 1)
                try:
                    call()
                except MemoryError:
                    failed += 1
                finally:
                    _testcapi.remove_mem_hooks()
        loop._watch(tell, 1e-9)
        for start in range(1, 40):
            late(start)
        loop._watch(None, 0.0)
        loop.close()
        print(failed > 0, len(told) > 0)
        """
    )
    assert out == "True True\n"


@pytest.mark.parametrize("way", ["return", "sys.exit(0)", "daemon"])
def test_the_end_of_the_interpreter(way):
    out, errors = run(
        f"""
        import asyncio, sys, threading, time, guava_loop
        way = {way!r}
        started = threading.Event()
        async def main():
            asyncio.get_running_loop().watch(0.002, dump_after=0.01, report=lambda b: None)
            started.set()
            for _ in range(5 if way != "daemon" else 10**9):
                time.sleep(0.005)
                await asyncio.sleep(0.001)
        if way == "daemon":
            threading.Thread(target=lambda: guava_loop.run(main()), daemon=True).start()
            started.wait()
            time.sleep(0.05)
        else:
            loop = guava_loop.new_event_loop()
            loop.run_until_complete(main())
        print("end", flush=True)
        if way == "sys.exit(0)":
            sys.exit(0)
        """
    )
    assert out == "end\n" and "Fatal" not in errors and "Traceback" not in errors


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.skipif("GUAVA_SANITIZED" in os.environ, reason="sanitizers make system calls")
def test_a_loop_that_sleeps_lets_the_watch_sleep(tmp_path: Path):
    program = """
        import os, guava_loop
        loop = guava_loop.new_event_loop()
        loop.watch(0.01, dump_after=1)
        loop.call_later(0.3, os.access, "guava-mark", 0)
        loop.call_later(1.3, os.access, "guava-mark", 0)
        loop.call_later(1.3, loop.stop)
        loop.run_forever()
        loop.close()
    """
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-o", str(trace), sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    _, between, _ = trace.read_text().split('"guava-mark"')
    # The first mark wakes the watch, which looks some ten times and sleeps again; without that
    # there would be a hundred looks, each of several calls.
    assert between.count("\n") < 120, between
