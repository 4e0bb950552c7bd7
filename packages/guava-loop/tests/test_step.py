"""step(): the first step of a coroutine inside a real asyncio.Task that may never come to be.

What a coroutine can see must be what it sees under loop.create_task(), so most tests run the same
coroutine both ways and compare.
"""

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

# ---- without suspension ------------------------------------------------------------------------


def test_a_result_at_once(run: Any) -> None:
    async def handler() -> str:
        return "done"

    assert run(handler()) == "done"
    assert not run.suspended


@pytest.mark.parametrize("value", [None, (1, 2), StopIteration(3), ValueError("as a value")])
def test_results_that_look_like_something_else(both: Any, value: Any) -> None:
    async def at_once() -> Any:
        return value

    async def later() -> Any:
        await asyncio.sleep(0)
        return value

    assert both(at_once()) is value
    assert both(later()) is value


class Custom(Exception):
    pass


@pytest.mark.parametrize("suspend", [False, True])
@pytest.mark.parametrize("look", [False, True])
def test_exceptions(both: Any, suspend: bool, look: bool) -> None:
    async def handler() -> None:
        if look:
            asyncio.current_task().get_name()
        if suspend:
            await asyncio.sleep(0)
        raise Custom("why")

    with pytest.raises(Custom, match="why") as caught:
        both(handler())
    names = [frame.name for frame in caught.traceback]
    assert names[-1] == "handler"


def test_stop_iteration_cannot_leave(both: Any) -> None:
    async def handler() -> None:
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        both(handler())


def test_the_current_task_is_a_task(both: Any) -> None:
    async def handler() -> Any:
        task = asyncio.current_task()
        assert isinstance(task, asyncio.Task)
        return task

    task = both(handler())
    assert task.done() and task.result() is task


def test_no_task_remains_current(loop: Any, step: Any) -> None:
    async def handler() -> None:
        pass

    step(handler())
    assert asyncio.current_task(loop) is None


def test_tasks_are_used_again(step: Any) -> None:
    async def handler() -> int:
        return id(asyncio.current_task())

    first = step(handler())[1]
    assert {step(handler())[1] for _ in range(10)} == {first}


def test_a_task_that_was_kept_is_not_used_again(step: Any) -> None:
    kept: list[Any] = []

    async def handler() -> None:
        kept.append(asyncio.current_task())

    for _ in range(3):
        step(handler())
    assert len({id(task) for task in kept}) == 3
    assert all(task.done() and task.result() is None for task in kept)


def test_a_task_with_a_weak_reference_is_not_used_again(step: Any) -> None:
    known: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
    ended: list[int] = []

    async def handler() -> int:
        task = asyncio.current_task()
        assert task not in known
        known[task] = "mine"
        weakref.finalize(task, ended.append, 1)
        return len(known)

    assert step(handler()) == (0, 1)
    assert len(known) == 0 and ended == [1]
    assert step(handler()) == (0, 1)


def test_the_spare_task_is_out_of_sight(step: Any) -> None:
    """Debuggers ask gc for tasks and look at them; a bare one has nothing to look at."""

    async def handler() -> int:
        return id(asyncio.current_task())

    spare = step(handler())[1]
    assert spare not in {id(o) for o in gc.get_objects()}


def test_collector_during_the_first_step(run: Any) -> None:
    async def handler() -> int:
        gc.collect()
        # By its type: what an object says of its class may be a lie, and its answer costs work.
        tasks = [o for o in gc.get_objects() if issubclass(type(o), asyncio.Task)]
        return len([repr(task) for task in tasks])

    assert run(handler()) >= 1


# ---- looking at the task -----------------------------------------------------------------------

LOOKS: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "name": lambda task: task.get_name().startswith("Task-"),
    "coro": lambda task: task.get_coro().__name__,
    "context": lambda task: type(getattr(task, "get_context", contextvars.copy_context)()),
    "loop": lambda task: task.get_loop(),
    "done": lambda task: (task.done(), task.cancelled(), task.cancelling()),
    "stack": lambda task: len(task.get_stack()),
    "exception": lambda task: task.done() and task.exception(),
    "set attribute": lambda task: setattr(task, "_mark", 1),
    "set name": lambda task: task.set_name("mine") or task.get_name(),
    "hash": lambda task: hash(task) == hash(task),
    "weak reference": lambda task: weakref.ref(task)() is task,
    "dir": lambda task: "get_coro" in dir(task),
    "class": lambda task: isinstance(task, task.__class__),
    "uncancel": lambda task: task.uncancel(),
    "isfuture": asyncio.isfuture,
    "all_tasks": lambda task: task.get_name() and task in asyncio.all_tasks(),
}


@pytest.mark.parametrize("look", LOOKS)
def test_looks_in_the_first_step(both: Any, look: str) -> None:
    async def at_once() -> Any:
        return type(LOOKS[look](asyncio.current_task())).__name__

    async def later() -> Any:
        seen = LOOKS[look](asyncio.current_task())
        await asyncio.sleep(0)
        return type(seen).__name__

    assert both(at_once()) == both(later())


def test_what_is_seen(both: Any) -> None:
    async def a_handler() -> Any:
        task = asyncio.current_task()
        coroutine = task.get_coro()
        return (
            coroutine.__qualname__,
            coroutine.cr_frame is not None,
            len(task.get_stack()) > 0,
            "a_handler" in repr(task),
            task.cancelling(),
            task in asyncio.all_tasks(),
        )

    name = "test_what_is_seen.<locals>.a_handler"
    assert both(a_handler()) == (name, True, True, True, 0, True)


def test_done_callbacks_of_the_first_step(both: Any) -> None:
    told: list[Any] = []

    async def handler(suspend: bool) -> str:
        asyncio.current_task().add_done_callback(lambda task: told.append(task.result()))
        if suspend:
            await asyncio.sleep(0)
        return "over"

    both(handler(False))
    both(asyncio.sleep(0))
    assert told == ["over"]
    both(handler(True))
    both(asyncio.sleep(0))
    assert told == ["over", "over"]
