"""call_soon() and its kin, on our loop and, since the behaviour is asyncio's, on asyncio's too."""

import asyncio
import contextvars
import functools
import gc
import random
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Iterator

import guava_loop
import pytest

VARIABLE: contextvars.ContextVar[int] = contextvars.ContextVar("VARIABLE", default=0)


@pytest.fixture(params=[guava_loop.new_event_loop, asyncio.SelectorEventLoop])
def any_loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    made = request.param()
    made.set_debug(False)  # which -X dev turns on
    yield made
    made.close()


def turn(loop: asyncio.AbstractEventLoop) -> None:
    """One turn that does not wait."""
    loop.stop()
    loop.run_forever()


def test_callbacks_run_in_order_with_their_arguments(any_loop):
    seen = []
    any_loop.call_soon(lambda: seen.append(()))
    for count in range(1, 5):
        any_loop.call_soon(lambda *args: seen.append(args), *range(count))
    turn(any_loop)
    assert seen == [(), (0,), (0, 1), (0, 1, 2), (0, 1, 2, 3)]


def test_a_turn_runs_what_was_queued_when_it_began(any_loop):
    seen = []

    def first():
        seen.append("first")
        any_loop.call_soon(seen.append, "added")

    any_loop.call_soon(first)
    any_loop.call_soon(seen.append, "second")
    turn(any_loop)
    assert seen == ["first", "second"]
    turn(any_loop)
    assert seen == ["first", "second", "added"]


def test_files_and_timers_get_their_turn_among_endless_callbacks(any_loop):
    left, right = socket.socketpair()
    rounds, seen = 0, {}

    def again():
        nonlocal rounds
        rounds += 1
        if len(seen) < 2 and rounds < 100_000:
            any_loop.call_soon(again)
        else:
            any_loop.stop()

    def read():
        any_loop.remove_reader(left)
        seen["file"] = rounds

    with left, right:
        right.send(b"x")
        any_loop.add_reader(left, read)
        any_loop.call_later(0, lambda: seen.update(timer=rounds))
        any_loop.call_soon(again)
        any_loop.run_forever()
    assert seen["file"] <= 20 and seen["timer"] <= 3


def test_stop_ends_the_round_and_not_those_that_follow(any_loop):
    seen = []

    def first():
        any_loop.call_soon(seen.append, 2)
        any_loop.stop()

    any_loop.call_soon(first)
    any_loop.call_soon(seen.append, 1)
    any_loop.run_forever()
    assert seen == [1]


def test_what_was_queued_before_a_run_goes_before_what_its_poll_finds(any_loop):
    seen = []

    class Protocol(asyncio.Protocol):
        def data_received(self, data):
            seen.append(data)

    left, right = socket.socketpair()
    transport, _ = any_loop.run_until_complete(any_loop.create_connection(Protocol, sock=left))
    with right:
        for end in (any_loop.stop, lambda: any_loop.call_later(0.01, any_loop.stop)):
            seen.clear()
            right.send(b"x")
            any_loop.call_soon(seen.append, "queued")
            any_loop.call_soon(lambda: any_loop.call_soon(seen.append, "later"))
            any_loop.call_soon(end)
            any_loop.run_forever()
            assert seen[:2] == ["queued", b"x"]
            turn(any_loop)
            assert seen[2:] == ["later"]
        transport.close()
        turn(any_loop)


def test_a_run_that_ends_at_once_asks_the_kernel_nevertheless(any_loop):
    """Programs that go round by themselves, with a stop() in each turn."""
    left, right = socket.socketpair()
    seen = []
    with left, right:
        any_loop.add_reader(left, lambda: seen.append(left.recv(10)))
        right.send(b"x")
        for _ in range(3):
            any_loop.call_soon(any_loop.stop)
            any_loop.run_forever()
        any_loop.remove_reader(left)
    assert seen == [b"x"]


def test_the_ring_grows_around_its_end(any_loop):
    """Fill and empty it in uneven steps, so that head and tail wrap at every size."""
    seen, expected, number = [], [], 0
    generator = random.Random(7)
    for _ in range(60):
        for _ in range(generator.randrange(700)):
            any_loop.call_soon(seen.append, number)
            expected.append(number)
            number += 1
        turn(any_loop)
        assert seen == expected


def test_a_cancelled_callback_is_not_run_and_lets_go(any_loop):
    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    handle = any_loop.call_soon(print, thing)
    assert not handle.cancelled()
    handle.cancel()
    handle.cancel()
    del thing
    assert handle.cancelled() and gone() is None
    turn(any_loop)


def test_a_callback_cancels_the_next(any_loop):
    seen = []
    any_loop.call_soon(lambda: second.cancel())
    second = any_loop.call_soon(seen.append, 2)
    any_loop.call_soon(seen.append, 3)
    turn(any_loop)
    assert seen == [3]


def test_a_callback_cancels_itself(any_loop):
    seen = []

    def callback(argument):
        handle.cancel()
        gc.collect()
        seen.append(argument)

    handle = any_loop.call_soon(callback, object)
    turn(any_loop)
    assert seen == [object]


def test_the_context_is_copied_when_a_callback_is_queued(any_loop):
    seen = []

    def callback():
        seen.append(VARIABLE.get())
        VARIABLE.set(99)

    token = VARIABLE.set(1)
    any_loop.call_soon(callback)
    VARIABLE.set(2)
    any_loop.call_soon(callback)
    turn(any_loop)
    assert seen == [1, 2] and VARIABLE.get() == 2
    VARIABLE.reset(token)


def test_a_context_can_be_given(any_loop):
    context = contextvars.copy_context()
    for schedule in (any_loop.call_soon, any_loop.call_soon_threadsafe):
        schedule(VARIABLE.set, 5, context=context)
        turn(any_loop)
        assert context[VARIABLE] == 5 and VARIABLE.get() == 0
        context.run(VARIABLE.set, 0)
    any_loop.call_later(0, VARIABLE.set, 6, context=context)
    any_loop.call_later(0, any_loop.stop)
    any_loop.run_forever()
    assert context[VARIABLE] == 6
    if sys.version_info >= (3, 12):
        assert any_loop.call_soon(print, context=context).get_context() is context
        any_loop._ready.clear()


def test_arguments_by_keyword(any_loop):
    seen = []
    any_loop.call_soon(callback=lambda: seen.append("soon"))
    any_loop.call_soon_threadsafe(callback=lambda: seen.append("threadsafe"), context=None)
    any_loop.call_later(delay=-2, callback=lambda: seen.append("later"))
    any_loop.call_later(-1, callback=lambda: seen.append("half"))
    any_loop.call_at(callback=any_loop.stop, when=any_loop.time())
    any_loop.run_forever()
    assert seen == ["soon", "threadsafe", "later", "half"]
    with pytest.raises(TypeError, match="multiple values"):
        any_loop.call_later(1, print, callback=print)
    with pytest.raises(TypeError, match="multiple values"):
        any_loop.call_soon(print, callback=print)
    with pytest.raises(TypeError, match="callback"):
        any_loop.call_later(delay=1)


def test_wrong_calls(any_loop):
    with pytest.raises(TypeError):
        any_loop.call_soon()
    with pytest.raises(TypeError):
        any_loop.call_soon(print, spam=1)
    with pytest.raises(TypeError):
        any_loop.call_later(1)
    with pytest.raises(TypeError):
        any_loop.call_later(None, print)
    with pytest.raises(TypeError):
        any_loop.call_at(None, print)
    with pytest.raises(TypeError):
        any_loop.call_later("soon", print)


def test_what_a_callback_raises_goes_to_the_exception_handler(any_loop):
    contexts, seen = [], []
    any_loop.set_exception_handler(lambda loop, context: contexts.append(context))

    def fail():
        raise ZeroDivisionError("one")

    handle = any_loop.call_soon(fail)
    any_loop.call_soon(seen.append, "after")
    turn(any_loop)
    (context,) = contexts
    assert seen == ["after"]
    assert isinstance(context["exception"], ZeroDivisionError)
    assert context["exception"].__traceback__ is not None
    assert context["handle"] is handle
    assert context["message"].startswith("Exception in callback ") and "fail" in context["message"]


def test_something_that_cannot_be_called(any_loop):
    contexts = []
    any_loop.set_exception_handler(lambda loop, context: contexts.append(context))
    any_loop.call_soon(None)
    turn(any_loop)
    assert isinstance(contexts[0]["exception"], TypeError)


@pytest.mark.parametrize("kind", [GeneratorExit, asyncio.CancelledError, BaseException])
def test_a_base_exception_is_handled_like_any_other(any_loop, kind):
    contexts = []
    any_loop.set_exception_handler(lambda loop, context: contexts.append(context))

    def fail():
        raise kind("x")

    any_loop.call_soon(fail)
    turn(any_loop)
    assert type(contexts[0]["exception"]) is kind


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_exception_that_ends_programs_leaves_run_forever(any_loop, kind):
    """At once: what was queued behind it waits for the next run."""
    seen = []

    def fail():
        raise kind("x")

    any_loop.call_soon(seen.append, 1)
    any_loop.call_soon(fail)
    any_loop.call_soon(seen.append, 2)
    with pytest.raises(kind, match="x"):
        any_loop.run_forever()
    assert seen == [1] and not any_loop.is_running()
    turn(any_loop)
    assert seen == [1, 2]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_it_leaves_from_a_timer_and_from_a_handler_too(any_loop, kind):
    def fail(*args):
        raise kind("x")

    any_loop.call_later(0, fail)
    with pytest.raises(kind):
        any_loop.run_forever()
    any_loop.set_exception_handler(fail)
    any_loop.call_soon(None)
    with pytest.raises(kind):
        any_loop.run_forever()


def test_an_exception_handler_that_fails(any_loop, caplog):
    def handler(loop, context):
        raise ValueError("handler")

    any_loop.set_exception_handler(handler)
    any_loop.call_soon(None)
    turn(any_loop)
    assert "Unhandled error in exception handler" in caplog.text


def test_stop_before_run_forever_is_one_turn(any_loop):
    seen = []

    def again():
        seen.append(1)
        any_loop.call_soon(again)

    any_loop.call_soon(again)
    for count in range(1, 4):
        turn(any_loop)
        assert len(seen) == count


def test_stop_in_a_callback_ends_after_this_turn(any_loop):
    seen = []
    any_loop.call_soon(any_loop.stop)
    any_loop.call_soon(seen.append, 1)
    any_loop.call_soon(lambda: any_loop.call_soon(seen.append, 2))
    any_loop.run_forever()
    assert seen == [1]
    turn(any_loop)
    assert seen == [1, 2]


def test_a_running_loop_cannot_be_run_or_closed():
    """Not on asyncio's: after the refusal, that of 3.13 forgets that it runs."""
    loop = guava_loop.new_event_loop()

    async def main():
        with pytest.raises(RuntimeError, match="This event loop is already running"):
            loop.run_forever()
        with pytest.raises(RuntimeError, match="This event loop is already running"):
            loop._run_once()
        with pytest.raises(RuntimeError, match="Cannot close a running event loop"):
            loop.close()
        assert asyncio.get_running_loop() is loop and loop.is_running()

    loop.run_until_complete(main())
    assert loop.run_until_complete(asyncio.sleep(0, "alive")) == "alive"
    loop.close()


@pytest.mark.parametrize(
    "call",
    [
        lambda loop: loop.call_soon(print),
        lambda loop: loop.call_soon_threadsafe(print),
        lambda loop: loop.call_later(1, print),
        lambda loop: loop.call_at(1, print),
        lambda loop: loop.add_reader(0, print),
        lambda loop: loop.run_forever(),
    ],
)
def test_a_closed_loop_refuses(any_loop, call: Callable[[asyncio.AbstractEventLoop], object]):
    any_loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        call(any_loop)


def test_threadsafe_from_many_threads(any_loop):
    threads, each, seen = 8, 500, []

    def call(thread: int) -> None:
        for number in range(each):
            any_loop.call_soon_threadsafe(note, thread, number)

    def note(thread: int, number: int) -> None:
        seen.append((thread, number))
        if len(seen) == threads * each:
            any_loop.stop()

    started = [threading.Thread(target=call, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    any_loop.run_forever()
    for thread in started:
        thread.join()
    for number in range(threads):
        assert [n for thread, n in seen if thread == number] == list(range(each))


def test_a_loop_that_is_never_idle_lets_other_threads_run():
    """A callback in C that queues itself: no Python code that would let go of the interpreter."""
    loop = guava_loop.new_event_loop()
    again = functools.partial(loop.call_soon)
    again.__setstate__((loop.call_soon, (again,), {}, {}))
    loop.call_soon(again)
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,))
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()
    loop.close()


def test_after_a_burst(any_loop):
    """More than the queues keep room for, twice, so that the room is given up and made again."""
    seen = []
    for _ in range(2):
        for _ in range(20_000):
            any_loop.call_soon(seen.append, 1)
            any_loop.call_at(0, seen.append, 2)
        any_loop.call_later(0, any_loop.stop)
        any_loop.run_forever()
        assert seen.count(1) == seen.count(2) == 20_000
        seen.clear()
        handles = [any_loop.call_later(60, print) for _ in range(20_000)]
        for handle in handles:
            handle.cancel()


def test_debug_mode_names_the_wrong_thread_and_the_wrong_callback(any_loop):
    any_loop.set_debug(True)
    errors = []

    def elsewhere():
        try:
            any_loop.call_soon(print)
        except RuntimeError as error:
            errors.append(str(error))

    async def coroutine():
        pass

    async def main():
        await any_loop.run_in_executor(None, elsewhere)
        with pytest.raises(TypeError, match="coroutines cannot be used with call_soon"):
            any_loop.call_soon(coroutine)
        with pytest.raises(TypeError, match="callable object was expected by call_at"):
            any_loop.call_at(1, 3)
        await any_loop.shutdown_default_executor()

    any_loop.run_until_complete(main())
    assert errors == [
        "Non-thread-safe operation invoked on an event loop other than the current one"
    ]


def test_debug_mode_tells_where_a_callback_was_queued(any_loop):
    any_loop.set_debug(True)
    contexts = []
    any_loop.set_exception_handler(lambda loop, context: contexts.append(context))
    handle = any_loop.call_soon(lambda: 1 / 0)
    assert f"created at {__file__}:" in repr(handle)
    turn(any_loop)
    assert contexts[0]["source_traceback"][-1].filename == __file__


def test_debug_mode_names_slow_callbacks(any_loop, caplog):
    any_loop.set_debug(True)
    any_loop.slow_callback_duration = 0.0

    def dawdle():
        pass

    any_loop.call_soon(dawdle)
    turn(any_loop)
    assert "dawdle" in caplog.text and "seconds" in caplog.text


def test_a_handle_describes_itself(any_loop):
    def callback(a, b):
        pass

    handle = any_loop.call_soon(callback, 1, 2)
    assert repr(handle).startswith("<Handle ") and "callback(" in repr(handle)
    any_loop.set_debug(True)
    # Since 3.13 asyncio shows arguments, which may be secrets, in debug mode only.
    assert "callback(1, 2) at" in repr(handle)
    any_loop.set_debug(False)
    assert handle._args == (1, 2) and handle._callback is callback
    assert any_loop.call_soon(callback, 1)._args == (1,)
    assert any_loop.call_soon(callback)._args == ()
    handle.cancel()
    assert repr(handle) == "<Handle cancelled>"
    timer = any_loop.call_at(12.5, callback)
    assert repr(timer).startswith("<TimerHandle when=12.5 ")
    timer.cancel()
    assert repr(timer) == "<TimerHandle cancelled when=12.5>"
    any_loop._ready.clear()


def test_a_handle_can_be_referred_to_weakly(any_loop):
    handle = any_loop.call_soon(print)
    reference = weakref.ref(handle)
    handle.cancel()
    turn(any_loop)
    del handle
    assert reference() is None


def test_asyncios_own_handles_are_run(any_loop):
    """Signals arrive as such."""
    seen = []
    any_loop._add_callback(asyncio.Handle(seen.append, (1,), any_loop))
    any_loop._ready.append(asyncio.Handle(seen.append, (2,), any_loop))
    cancelled = asyncio.Handle(seen.append, (3,), any_loop)
    any_loop._ready.append(cancelled)
    cancelled.cancel()
    assert len(any_loop._ready) == 3
    turn(any_loop)
    assert seen == [1, 2]
