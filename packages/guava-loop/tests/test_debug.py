"""asyncio's debug mode, on asyncio's loop and on ours."""

import asyncio
import contextlib
import gc
import logging
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import guava_loop
import pytest

Factory = Callable[[], asyncio.AbstractEventLoop]
FACTORIES = {"asyncio": asyncio.SelectorEventLoop, "guava": guava_loop.new_event_loop}


@pytest.fixture(params=FACTORIES)
def any_loop(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A loop in debug mode, whose exception handler keeps what it gets in loop.errors."""
    loop: Any = FACTORIES[request.param]()
    loop.set_debug(True)
    loop.slow_callback_duration = 1000.0
    loop.errors = []
    loop.set_exception_handler(lambda loop, context: loop.errors.append(context))
    yield loop
    loop.close()


def turn(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def run(factory: str, program: str, *options: str, **environment: str) -> tuple[str, str]:
    """Output and errors of a program of its own, in which `factory` makes loops."""
    lines = ["import asyncio, sys, warnings"]
    if factory == "guava":
        lines += ["import guava_loop", "factory = guava_loop.new_event_loop"]
    else:
        lines += ["factory = asyncio.SelectorEventLoop"]
    program = "\n".join(lines) + "\n" + textwrap.dedent(program)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept = {
        name: os.environ[name] for name in ("PYTHONPATH", "PYTHONMALLOC") if name in os.environ
    }
    done = subprocess.run(
        [sys.executable, *options, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env=clean | kept | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


# ---- turning it on -----------------------------------------------------------------------------

ASK = """
async def main():
    loop = asyncio.get_running_loop()
    return loop.get_debug(), sys.get_coroutine_origin_tracking_depth() > 0
with asyncio.Runner(loop_factory=factory, debug=DEBUG) as runner:
    print(*runner.run(main()), sys.get_coroutine_origin_tracking_depth())
"""


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize(
    ("debug", "options", "environment", "expected"),
    [
        ("None", [], {}, "False False 0"),
        ("True", [], {}, "True True 0"),
        ("None", [], {"PYTHONASYNCIODEBUG": "1"}, "True True 0"),
        ("None", ["-X", "dev"], {}, "True True 0"),
        ("False", ["-X", "dev"], {"PYTHONASYNCIODEBUG": "1"}, "False False 0"),
        ("None", ["-E"], {"PYTHONASYNCIODEBUG": "1"}, "False False 0"),
    ],
)
def test_the_ways_to_turn_it_on(factory, debug, options, environment, expected):
    out, _ = run(factory, ASK.replace("DEBUG", debug), *options, **environment)
    assert out.strip() == expected


def test_run_takes_debug():
    async def main():
        return asyncio.get_running_loop().get_debug()

    assert guava_loop.run(main(), debug=True) is True
    assert guava_loop.run(main(), debug=False) is False


def test_while_it_runs_and_from_another_thread(any_loop):
    """Tracking of coroutines' origins follows in the loop's own thread."""
    depths = []

    async def main():
        depths.append(sys.get_coroutine_origin_tracking_depth())
        for on in (False, True):
            await any_loop.run_in_executor(None, any_loop.set_debug, on)
            await asyncio.sleep(0.001)
            depths.append(sys.get_coroutine_origin_tracking_depth())
        await any_loop.shutdown_default_executor()

    any_loop.run_until_complete(main())
    assert [depth > 0 for depth in depths] == [True, False, True]
    assert sys.get_coroutine_origin_tracking_depth() == 0


# ---- slow callbacks ----------------------------------------------------------------------------


def slow(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Who was named, by asyncio's logger."""
    found = []
    for record in caplog.records:
        match = re.fullmatch(r"Executing (.*) took \d+\.\d{3} seconds", record.getMessage())
        if match is not None:
            assert record.name == "asyncio" and record.levelno == logging.WARNING
            found.append(match[1])
    return found


def dawdle(*unused: object) -> None:
    time.sleep(0.03)


def test_each_kind_of_handle(any_loop, caplog):
    any_loop.slow_callback_duration = 0.02
    reading, writing = os.pipe()
    os.write(writing, b"x")

    def ready():
        dawdle()
        any_loop.remove_reader(reading)

    any_loop.call_soon(dawdle, "soon")
    any_loop.call_later(0, dawdle, "later")
    any_loop.add_reader(reading, ready)
    any_loop.call_soon_threadsafe(dawdle, "threadsafe")
    any_loop.call_later(0.1, any_loop.stop)
    any_loop.run_forever()
    os.close(reading)
    os.close(writing)
    named = slow(caplog)
    for text in (
        r"<Handle dawdle\('soon'\) at .*test_debug.py:\d+ created at .*test_debug.py:\d+>",
        r"<Handle dawdle\('threadsafe'\) at .* created at .*test_debug.py:\d+>",
        r"<TimerHandle when=\S+ dawdle\('later'\) at .* created at .*test_debug.py:\d+>",
        r"<Handle cancelled test_each_kind_of_handle.<locals>.ready\(\) at .*>",
    ):
        assert sum(re.fullmatch(text, name) is not None for name in named) == 1, (text, named)


def test_a_task_is_named_and_not_its_step(any_loop, caplog):
    async def main():
        any_loop.slow_callback_duration = 0.02
        await asyncio.sleep(0)
        dawdle()
        await asyncio.sleep(0)

    any_loop.run_until_complete(any_loop.create_task(main(), name="the slow one"))
    named = slow(caplog)
    assert sum("<Task pending name='the slow one'" in name for name in named) == 1


def test_the_duration_may_change_at_any_time(any_loop, caplog):
    def impatient():
        any_loop.slow_callback_duration = 0.0

    def patient():
        any_loop.slow_callback_duration = 1000.0

    any_loop.call_soon(dawdle)
    any_loop.call_soon(impatient)
    any_loop.call_soon(int)
    any_loop.call_soon(patient)
    turn(any_loop)
    named = slow(caplog)
    assert len(named) == 2
    assert "impatient" in named[0] and "int" in named[1]


def test_nothing_is_slow_without_debug_mode(any_loop, caplog):
    any_loop.set_debug(False)
    any_loop.slow_callback_duration = 0.0
    any_loop.call_soon(dawdle)
    turn(any_loop)
    assert slow(caplog) == []


def test_what_raises_is_timed_too(any_loop, caplog):
    any_loop.slow_callback_duration = 0.02

    def fails():
        dawdle()
        raise ValueError

    any_loop.call_soon(fails)
    turn(any_loop)
    assert len(slow(caplog)) == 1 and "fails" in slow(caplog)[0]
    assert isinstance(any_loop.errors[0]["exception"], ValueError)


def test_protocols_of_sockets(any_loop, caplog):
    """asyncio serves a transport's socket by a handle; ours names the transport itself."""

    class Slow(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            dawdle()
            done.set_result(None)

    class SlowBuffered(asyncio.BufferedProtocol):
        def get_buffer(self, hint: int) -> bytearray:
            return bytearray(10)

        def buffer_updated(self, count: int) -> None:
            dawdle()
            done.set_result(None)

    class SlowDatagrams(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, address: Any) -> None:
            dawdle()
            done.set_result(None)

    async def talk() -> list[str]:
        nonlocal done
        any_loop.slow_callback_duration = 1000.0
        for protocol in (Slow, SlowBuffered):
            ours, theirs = socket.socketpair()
            done = any_loop.create_future()
            transport, _ = await any_loop.create_connection(protocol, sock=ours)
            any_loop.slow_callback_duration = 0.02
            theirs.send(b"x")
            await done
            transport.close()
            theirs.close()
        done = any_loop.create_future()
        udp, _ = await any_loop.create_datagram_endpoint(SlowDatagrams, ("127.0.0.1", 0))
        udp.sendto(b"x", udp.get_extra_info("sockname"))
        await done
        await asyncio.sleep(0)
        udp.close()
        await asyncio.sleep(0.001)
        return slow(caplog)

    done: Any = None
    named = any_loop.run_until_complete(talk())
    assert sum("SocketTransport" in n or "StreamTransport" in n for n in named) == 2, named
    assert sum("DatagramTransport" in name for name in named) == 1, named
    if isinstance(any_loop, guava_loop.Loop):
        assert [re.search(r"Slow\w*", name)[0] for name in named if "callback of" in name] == [
            "Slow",
            "SlowBuffered",
            "SlowDatagrams",
        ]


def test_what_cannot_be_described_is_cancelled_all_the_same(loop):
    """asyncio's cancel() raises what repr() does, and keeps the callback."""

    class Mute:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    loop.set_debug(True)
    handle = loop.call_later(1000, print, Mute())
    handle.cancel()
    assert handle.cancelled() and "cancelled" in repr(handle)


# ---- wrong uses --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["call_soon", "call_later", "call_at", "create_task"])
def test_from_the_wrong_thread(any_loop, method):
    errors = []

    async def coroutine():
        pass

    def elsewhere():
        made = coroutine()
        arguments = {
            "call_soon": (print,),
            "call_later": (1, print),
            "call_at": (any_loop.time(), print),
            "create_task": (made,),
        }
        try:
            getattr(any_loop, method)(*arguments[method])
        except RuntimeError as error:
            errors.append(str(error))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.close()

    async def main():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.001)

    any_loop.run_until_complete(main())
    with contextlib.suppress(AttributeError):
        for task in asyncio.all_tasks(any_loop):
            task._log_destroy_pending = False
    message = "Non-thread-safe operation invoked on an event loop other than the current one"
    assert errors == [message]


def test_before_it_runs_any_thread_may_schedule(any_loop):
    thread = threading.Thread(target=any_loop.call_soon, args=(any_loop.stop,))
    thread.start()
    thread.join()
    any_loop.run_forever()


@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
def test_coroutines_and_what_cannot_be_called(any_loop, method):
    async def coroutine():
        pass

    made = coroutine()
    first = (0.0,) if method in ("call_later", "call_at") else ()
    # asyncio's call_later() calls call_at(), and is named so.
    name = "call_(later|at)" if method == "call_later" else method
    for wrong in (made, coroutine):
        with pytest.raises(TypeError, match=rf"coroutines cannot be used with {name}\(\)"):
            getattr(any_loop, method)(*first, wrong)
    with pytest.raises(TypeError, match=rf"a callable object was expected by {name}\(\), got 3"):
        getattr(any_loop, method)(*first, 3)
    made.close()


# ---- where things come from --------------------------------------------------------------------


def test_handles_tell_where_they_were_made(any_loop):
    for handle in (
        any_loop.call_soon(print),
        any_loop.call_later(1, print),
        any_loop.call_soon_threadsafe(print),
    ):
        assert handle._source_traceback[-1].filename == __file__
        assert handle._source_traceback[-1].name == "test_handles_tell_where_they_were_made"
        assert f"created at {__file__}:{handle._source_traceback[-1].lineno}" in repr(handle)
        handle.cancel()
        assert "cancelled" in repr(handle) and f"created at {__file__}" in repr(handle)
        assert "print()" in repr(handle) and handle._args is None and handle._callback is None


def test_tasks_and_futures_tell_where_they_were_made(any_loop):
    async def main():
        task = any_loop.create_task(asyncio.sleep(0))
        future = any_loop.create_future()
        for made in (task, future):
            # asyncio's create_future() is Python, and shows itself.
            names = [frame.name for frame in made._source_traceback[-2:]]
            assert names[-1] == "main" or names == ["main", "create_future"]
        assert f"created at {__file__}" in repr(task)
        await task

    any_loop.run_until_complete(main())


def test_an_exception_in_a_callback(any_loop):
    handle = any_loop.call_soon(lambda: 1 / 0)
    turn(any_loop)
    (context,) = any_loop.errors
    assert set(context) == {"message", "exception", "handle", "source_traceback"}
    assert context["handle"] is handle
    assert context["source_traceback"][-1].name == "test_an_exception_in_a_callback"
    assert context["message"].startswith("Exception in callback ")
    assert f"at {__file__}:" in context["message"]


def test_the_default_handler_shows_the_source(any_loop, caplog):
    any_loop.set_exception_handler(None)
    any_loop.call_soon(lambda: 1 / 0)
    turn(any_loop)
    assert "Object created at (most recent call last):" in caplog.text
    assert "test_the_default_handler_shows_the_source" in caplog.text


def test_the_handle_that_ran_is_shown_with_errors_of_others(any_loop, caplog):
    """asyncio's _current_handle: 'Handle created at'."""
    any_loop.set_exception_handler(None)
    any_loop.call_soon(any_loop.call_exception_handler, {"message": "one of mine"})
    turn(any_loop)
    assert "one of mine" in caplog.text
    assert "Handle created at (most recent call last):" in caplog.text


def test_a_task_whose_exception_nobody_asked_for(any_loop):
    async def fails():
        raise ValueError("unseen")

    async def main():
        any_loop.create_task(fails())
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    any_loop.run_until_complete(main())
    gc.collect()
    (context,) = any_loop.errors
    assert context["message"] == "Task exception was never retrieved"
    assert str(context["exception"]) == "unseen"
    assert context["source_traceback"][-1].name == "main"


def test_a_task_that_is_destroyed_while_it_waits(any_loop):
    async def waits():
        await any_loop.create_future()

    async def main():
        any_loop.create_task(waits())
        await asyncio.sleep(0)

    any_loop.run_until_complete(main())
    gc.collect()
    (context,) = any_loop.errors
    assert context["message"] == "Task was destroyed but it is pending!"
    assert context["source_traceback"][-1].name == "main"


def test_a_coroutine_that_is_never_awaited(any_loop):
    async def forgotten():
        pass

    async def main():
        forgotten()

    with pytest.warns(RuntimeWarning, match="was never awaited") as caught:
        any_loop.run_until_complete(main())
        gc.collect()
    text = str(caught[0].message)
    assert "Coroutine created at (most recent call last)" in text
    assert __file__ in text and "in main" in text


# ---- resources ---------------------------------------------------------------------------------


def test_a_loop_that_is_not_closed(any_loop):
    loop = type(any_loop)()
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        del loop
        gc.collect()


def test_transports_that_are_not_closed(any_loop):
    async def main():
        ours, theirs = socket.socketpair()
        await any_loop.create_connection(asyncio.Protocol, sock=ours)
        await any_loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))
        return theirs

    theirs = any_loop.run_until_complete(main())
    loop = type(any_loop)()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        any_loop.close()
        gc.collect()
    theirs.close()
    loop.close()
    unclosed = [str(w.message) for w in caught if w.category is ResourceWarning]
    assert sum("unclosed transport" in text for text in unclosed) == 2, unclosed


@pytest.mark.parametrize("factory", FACTORIES)
def test_development_mode_is_quiet_about_a_clean_program(factory):
    program = """
        async def serve(reader, writer):
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(b"hello\\n")
                print(await reader.readline())
                writer.close()
                await writer.wait_closed()
            child = await asyncio.create_subprocess_exec("echo", "child", stdout=-1)
            print((await child.communicate())[0])
            async with asyncio.timeout(10):
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.sleep(0.001))
            print(await asyncio.to_thread(int))
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.get_loop().slow_callback_duration = 1000
            runner.run(main())
    """
    out, errors = run(factory, program, "-X", "dev", "-W", "error")
    assert out == "b'hello\\n'\nb'child\\n'\n0\n"
    assert errors in ("", "Using selector: EpollSelector\n")
