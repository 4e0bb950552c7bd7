"""A loop's birth and death: closing, collection, forks, threads, other interpreters."""

import asyncio
import gc
import os
import resource
import socket
import subprocess
import sys
import textwrap
import threading
import warnings
import weakref

import guava_loop
import pytest


def run(program: str) -> tuple[str, str]:
    """Output and errors of a program of its own."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def descriptors() -> list[str]:
    return sorted(os.listdir("/dev/fd"))


def test_close_twice():
    loop = guava_loop.new_event_loop()
    loop.close()
    assert loop.is_closed()
    loop.close()
    assert "closed=True" in repr(loop)


def test_no_descriptor_is_left():
    guava_loop.run(asyncio.sleep(0))
    before = descriptors()
    for _ in range(20):
        guava_loop.run(asyncio.sleep(0))
        guava_loop.new_event_loop().close()
    assert descriptors() == before


def test_an_unclosed_loop_warns_and_is_closed():
    gc.collect()  # what earlier tests have left to it is not counted here
    before = descriptors()
    loop = guava_loop.new_event_loop()
    gone = weakref.ref(loop)
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        del loop
        gc.collect()
    assert gone() is None and descriptors() == before


def test_an_unclosed_loop_in_cycles_is_collected():
    """Through each thing that a loop holds: callbacks, timers, pollers, handlers, contexts."""
    left, right = socket.socketpair()
    loop = guava_loop.new_event_loop()

    class Holder:
        def callback(self, *args: object) -> None:
            pass

    holder = Holder()
    holder.loop = loop
    holder.handle = loop.call_soon(holder.callback, holder)
    holder.timer = loop.call_later(3600, holder.callback, holder, loop)
    loop.add_reader(left, holder.callback, holder)
    loop.set_exception_handler(holder.callback)
    loop.create_future().add_done_callback(holder.callback)
    loop.holder = holder
    gone = weakref.ref(loop), weakref.ref(holder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del loop, holder
        gc.collect()
    assert [reference() for reference in gone] == [None, None]
    left.close()
    right.close()


def test_handles_outlive_their_loop():
    loop = guava_loop.new_event_loop()
    handles = [loop.call_soon(print), loop.call_later(1, print)]
    loop.close()
    del loop
    for handle in handles:
        assert "Handle" in repr(handle)
        handle.cancel()
        assert handle.cancelled()


def test_destructors_that_use_a_closing_loop():
    """What a callback holds dies in close(), and may call the loop then."""
    loop = guava_loop.new_event_loop()
    caught = []

    class Thing:
        def __del__(self) -> None:
            try:
                loop.call_soon(print)
            except RuntimeError as error:
                caught.append(str(error))

    for _ in range(3):
        loop.call_soon(print, Thing())
        loop.call_later(1, print, Thing())
    loop.close()
    assert caught == ["Event loop is closed"] * 6


def test_a_core_without_init_is_harmless():
    loop = guava_loop.Loop.__new__(guava_loop.Loop)
    assert loop._closed
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.call_soon(print)
    del loop
    gc.collect()


def test_a_subclass_may_add_to_it():
    class Mine(guava_loop.Loop):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def call_soon(self, callback, *args, context=None):
            self.calls += 1
            return super().call_soon(callback, *args, context=context)

    loop = Mine()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert loop.calls > 0


def test_no_descriptors_left_for_a_loop():
    """The constructor says so and leaves nothing behind, however far it came."""
    guava_loop.new_event_loop().close()  # the first one opens something for all
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = descriptors()
    failures = 0
    try:
        for extra in range(12):
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) + extra, hard))
            try:
                guava_loop.new_event_loop().close()
            except OSError:
                failures += 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    gc.collect()
    assert failures >= 3
    assert descriptors() == before


def test_no_descriptors_left_for_the_first_loop():
    """libuv would end the process."""
    out, _ = run(
        """
        import os, resource, guava_loop
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        count = len(os.listdir("/dev/fd")) - 1
        failures = 0
        for extra in range(12):
            resource.setrlimit(resource.RLIMIT_NOFILE, (count + extra, hard))
            try:
                guava_loop.new_event_loop().close()
            except OSError:
                failures += 1
        print(failures >= 3)
        """
    )
    assert out == "True\n"


def test_no_memory_for_a_loop():
    pytest.importorskip("_testcapi", reason="this Python was built without its test modules")
    out, _ = run(
        """
        import _testcapi, gc, guava_loop
        guava_loop.new_event_loop().close()
        failed = 0
        for start in range(1, 200):
            _testcapi.set_nomemory(start, start + 1)
            try:
                loop = guava_loop._core.Core()
            except MemoryError:
                failed += 1
            else:
                del loop
            finally:
                _testcapi.remove_mem_hooks()
        gc.collect()
        print(failed > 0)
        """
    )
    assert out == "True\n"


def test_no_memory_for_callbacks():
    pytest.importorskip("_testcapi", reason="this Python was built without its test modules")
    out, _ = run(
        """
        import _testcapi, os, guava_loop
        loop = guava_loop.new_event_loop()
        loop.set_debug(False)
        reading, writing = os.pipe()
        calls = [
            lambda: loop.call_soon(print, 1, 2),
            lambda: loop.call_later(9, print, 1, 2),
            lambda: loop.call_soon_threadsafe(print),
            lambda: loop._add_reader(reading, print),
        ]
        failed = 0
        for call in calls:
            for start in range(1, 20):
                _testcapi.set_nomemory(start, start + 1)
                try:
                    call()
                except MemoryError:
                    failed += 1
                finally:
                    _testcapi.remove_mem_hooks()
        loop._ready.clear()
        loop.close()
        print(failed >= 4)
        """
    )
    assert out == "True\n"


def test_a_program_ends_with_a_live_loop():
    out, err = run(
        """
        import asyncio, guava_loop
        loop = guava_loop.new_event_loop()
        loop.run_until_complete(asyncio.sleep(0))
        loop.call_later(100, print)
        task = loop.create_task(asyncio.sleep(100))
        server = loop.run_until_complete(asyncio.start_server(print, "127.0.0.1", 0))
        print("end")
        """
    )
    assert out == "end\n" and "Fatal" not in err and "Segmentation" not in err


def test_a_program_ends_with_a_loop_in_a_daemon_thread():
    for _ in range(3):
        out, err = run(
            """
            import asyncio, threading, guava_loop
            started = threading.Event()
            async def main():
                started.set()
                while True:
                    await asyncio.sleep(0.001)
            thread = threading.Thread(target=lambda: guava_loop.run(main()), daemon=True)
            thread.start()
            started.wait()
            print("end")
            """
        )
        assert out == "end\n" and "Fatal" not in err


def test_many_loops_in_many_threads():
    results: list[int] = []

    async def main(number: int) -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, guava_loop.Loop)
        for _ in range(20):
            await asyncio.sleep(0)
            await asyncio.sleep(0.0001)
        assert asyncio.get_running_loop() is loop
        return number

    def work(number: int) -> None:
        for _ in range(5):
            results.append(guava_loop.run(main(number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(list(range(16)) * 5)


def test_loops_take_turns_on_one_thread():
    first, second = guava_loop.new_event_loop(), guava_loop.new_event_loop()
    for _ in range(10):
        assert first.run_until_complete(asyncio.sleep(0, 1)) == 1
        assert second.run_until_complete(asyncio.sleep(0.0001, 2)) == 2
    first.close()
    assert second.run_until_complete(asyncio.sleep(0, 3)) == 3
    second.close()


def test_the_child_of_a_fork_does_not_touch_the_parents_loop():
    """They share the kernel's poll object until libuv makes the child its own."""
    out, _ = run(
        """
        import asyncio, os, socket, guava_loop
        loop = guava_loop.new_event_loop()
        left, right = socket.socketpair()
        seen = []
        def read():
            seen.append(left.recv(10))
            loop.stop()
        loop.add_reader(left, read)
        loop.call_soon(loop.stop)
        loop.run_forever()
        child = os.fork()
        if child == 0:
            asyncio._set_running_loop(None)
            loop.remove_reader(left)
            loop.close()
            assert guava_loop.run(asyncio.sleep(0.001, "child")) == "child"
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        right.send(b"parent")
        loop.run_forever()
        print(seen)
        loop.close()
        """
    )
    assert out == "[b'parent']\n"


def test_a_loop_goes_on_in_the_child_of_a_fork():
    out, _ = run(
        """
        import asyncio, os, socket, sys, guava_loop
        loop = guava_loop.new_event_loop()
        left, right = socket.socketpair()
        loop.add_reader(left, lambda: (print(left.recv(10), flush=True), loop.stop()))
        loop.call_soon(loop.stop)
        loop.run_forever()
        child = os.fork()
        if child == 0:
            right.send(b"child")
            loop.run_forever()
            loop.close()
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        right.send(b"parent")
        loop.run_forever()
        loop.close()
        """
    )
    assert out == "b'child'\nb'parent'\n"


def test_a_fork_inside_a_callback():
    out, _ = run(
        """
        import asyncio, os, sys, guava_loop
        async def main():
            child = os.fork()
            if child == 0:
                asyncio._set_running_loop(None)
                assert guava_loop.run(asyncio.sleep(0.001, 5)) == 5
                os._exit(9)
            await asyncio.sleep(0.01)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(guava_loop.run(main()))
        """
    )
    assert out == "9\n"


@pytest.mark.skipif(
    sys.version_info < (3, 13),
    reason="another interpreter can import asyncio since 3.13 (3.12.1 then dies in free())",
)
def test_in_an_interpreter_of_its_own():
    out, _ = run(
        """
        import _interpreters as interpreters
        import guava_loop, asyncio, threading
        code = '''if True:
            import asyncio, time, guava_loop
            async def main():
                await asyncio.sleep(0.001)
                return 6
            assert guava_loop.run(main()) == 6
            loop = guava_loop.new_event_loop()
            loop.watch(0.001, dump_after=0.002, report=lambda blocked: None)
            loop.call_soon(time.sleep, 0.01)
            loop.call_soon(loop.stop)
            loop.run_forever()
            assert loop.stats().turns > 0
            loop.call_soon(print)
        '''
        for _ in range(3):
            number = interpreters.create()
            failure = interpreters.run_string(number, code)
            assert failure is None, failure
            interpreters.destroy(number)
        assert guava_loop.run(asyncio.sleep(0, 7)) == 7
        print("end")
        """
    )
    assert out == "end\n"
