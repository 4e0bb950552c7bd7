"""create_task() and create_future(), on our loop and on asyncio's, whose behaviour it is."""

import asyncio
import contextvars
import gc
import sys
import warnings
import weakref
from collections.abc import Iterator

import guava_loop
import pytest

VARIABLE: contextvars.ContextVar[int] = contextvars.ContextVar("VARIABLE", default=0)


@pytest.fixture(params=[guava_loop.new_event_loop, asyncio.SelectorEventLoop])
def any_loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    made = request.param()
    made.set_debug(False)  # which -X dev turns on
    yield made
    made.close()


async def give(value):
    return value


async def get_variable():
    return VARIABLE.get()


@pytest.mark.parametrize("debug", [False, True])
def test_a_task_is_asyncios(any_loop, debug):
    any_loop.set_debug(debug)
    task = any_loop.create_task(give(7))
    assert type(task) is asyncio.Task and task.get_loop() is any_loop
    assert task in asyncio.all_tasks(any_loop)
    assert any_loop.run_until_complete(task) == 7
    assert task not in asyncio.all_tasks(any_loop)


def test_its_name(any_loop):
    first, second = any_loop.create_task(give(1)), any_loop.create_task(give(2))
    named = any_loop.create_task(give(3), name="spam")
    unnamed = any_loop.create_task(give(4), name=None)
    assert named.get_name() == "spam"
    assert any_loop.create_task(give(5), name=42).get_name() == "42"
    numbers = [int(task.get_name().removeprefix("Task-")) for task in (first, second, unnamed)]
    assert numbers == sorted(set(numbers))
    any_loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(any_loop)))


def test_its_context(any_loop):
    VARIABLE.set(1)
    given = contextvars.copy_context()
    given.run(VARIABLE.set, 2)
    copied = any_loop.create_task(get_variable())
    shared = any_loop.create_task(get_variable(), context=given)
    both = any_loop.create_task(get_variable(), name="spam", context=given)
    neither = any_loop.create_task(get_variable(), context=None)
    VARIABLE.set(3)
    tasks = [copied, shared, both, neither]
    assert [any_loop.run_until_complete(task) for task in tasks] == [1, 2, 2, 1]
    assert both.get_name() == "spam"
    VARIABLE.set(0)


@pytest.mark.parametrize("debug", [False, True])
def test_wrong_calls(any_loop, debug):
    any_loop.set_debug(debug)
    for wrong in (1, None, give, print):
        with pytest.raises(TypeError, match="a coroutine was expected"):
            any_loop.create_task(wrong)
    coroutine = give(1)
    for args, keywords in [
        ((), {}),
        ((coroutine, "spam"), {}),
        ((coroutine,), {"loop": any_loop}),
        ((coroutine,), {"spam": 1}),
    ]:
        with pytest.raises(TypeError):
            any_loop.create_task(*args, **keywords)
    assert any_loop.run_until_complete(any_loop.create_task(coro=coroutine)) == 1


def test_a_closed_loop_refuses(any_loop):
    any_loop.close()
    coroutine = give(1)
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        any_loop.create_task(coroutine)
    coroutine.close()
    # A future can be had nevertheless.
    future = any_loop.create_future()
    future.set_result(1)
    assert future.result() == 1


def test_a_coroutine_that_a_closed_loop_refused_was_never_awaited(any_loop):
    any_loop.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(RuntimeError):
            any_loop.create_task(give(1))
        gc.collect()
    assert ["was never awaited" in str(each.message) for each in caught] == [True]


def test_a_task_that_nobody_waits_for_tells_of_its_end(any_loop):
    contexts = []
    any_loop.set_exception_handler(lambda _, context: contexts.append(context))

    async def fail():
        raise ValueError("spam")

    any_loop.create_task(fail())
    any_loop.call_later(0.001, any_loop.stop)
    any_loop.run_forever()
    gc.collect()
    assert [str(context["exception"]) for context in contexts] == ["spam"]


def test_debug_mode_tells_where_a_task_was_made(any_loop):
    any_loop.set_debug(True)
    task = any_loop.create_task(give(1))
    line = sys._getframe().f_lineno - 1
    assert (task._source_traceback[-1].filename, task._source_traceback[-1].lineno) == (
        __file__,
        line,
    )
    any_loop.run_until_complete(task)


def test_a_task_factory(any_loop):
    calls = []

    class Task(asyncio.Task):
        pass

    def factory(loop, coroutine, **keywords):
        calls.append((loop, coroutine, sorted(keywords)))
        return Task(coroutine, loop=loop, **keywords)

    assert any_loop.get_task_factory() is None
    any_loop.set_task_factory(factory)
    assert any_loop.get_task_factory() is factory
    coroutine = give(1)
    task = any_loop.create_task(coroutine, name="spam")
    assert type(task) is Task and task.get_name() == "spam"
    assert calls[0][:2] == (any_loop, coroutine)
    context = contextvars.copy_context()
    second = any_loop.create_task(give(2), context=context)
    assert "context" in calls[1][2]
    assert any_loop.run_until_complete(asyncio.gather(task, second)) == [1, 2]
    with pytest.raises(TypeError):
        any_loop.set_task_factory(1)
    any_loop.set_task_factory(None)
    plain = any_loop.create_task(give(3))
    assert type(plain) is asyncio.Task and any_loop.run_until_complete(plain) == 3


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_the_eager_task_factory(any_loop):
    any_loop.set_task_factory(asyncio.eager_task_factory)
    seen = []

    async def note(value):
        seen.append(value)
        return value

    async def main():
        task = any_loop.create_task(note(1))
        assert seen == [1] and task.done()
        named = asyncio.create_task(note(2), name="spam")
        assert seen == [1, 2] and named.get_name() == "spam"
        return await task + await named

    assert any_loop.run_until_complete(main()) == 3


def test_classes_that_a_program_has_put_in_their_place(any_loop, monkeypatch):
    class Task(asyncio.Task):
        pass

    class Future(asyncio.Future):
        pass

    monkeypatch.setattr(asyncio.tasks, "Task", Task)
    monkeypatch.setattr(asyncio.futures, "Future", Future)
    task = any_loop.create_task(give(1), name="spam")
    assert type(task) is Task and task.get_name() == "spam"
    future = any_loop.create_future()
    assert type(future) is Future and future.get_loop() is any_loop
    any_loop.run_until_complete(task)


def test_a_method_that_a_subclass_overrides():
    class Loop(guava_loop.Loop):
        made = 0

        def create_task(self, coro, **keywords):
            self.made += 1
            return super().create_task(coro, **keywords)

    loop = Loop()

    async def main():
        return await asyncio.create_task(give(1))

    assert loop.run_until_complete(main()) == 1
    assert loop.made == 2
    loop.close()


def test_a_future_is_asyncios(any_loop):
    future = any_loop.create_future()
    assert type(future) is asyncio.Future and future.get_loop() is any_loop
    any_loop.call_soon(future.set_result, 5)
    assert any_loop.run_until_complete(future) == 5
    with pytest.raises(TypeError):
        any_loop.create_future(1)


def test_debug_mode_of_futures(any_loop):
    assert any_loop.get_debug() is False and any_loop.create_future()._source_traceback is None
    any_loop.set_debug(True)
    assert any_loop.get_debug() is True and any_loop.create_future()._source_traceback


def test_a_closed_loop_goes_without_the_collector():
    """What is kept for the making of futures and tasks is a cycle until the loop is closed."""
    gc.collect()
    gc.disable()
    try:
        loop = guava_loop.new_event_loop()
        loop.run_until_complete(loop.create_task(give(1)))
        loop.create_future()
        loop.set_task_factory(lambda loop, coroutine: None)
        loop.close()
        loop.create_future()
        gone = weakref.ref(loop)
        del loop
        assert gone() is None
    finally:
        gc.enable()
