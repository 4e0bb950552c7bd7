"""step(): the first step of a coroutine inside a real asyncio.Task that may never come to be.

What a coroutine can see must be what it sees under loop.create_task(), so most tests run the same
coroutine both ways and compare.
"""

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from types import ModuleType
from typing import Any

import pytest

import guava_loop

Run = Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]


@pytest.fixture
def run(loop: guava_loop.Loop, loop_probe: ModuleType) -> Callable[..., Any]:
    """run(coroutine): its result after step() and, if it was suspended, after its task."""

    def run(coroutine: Coroutine[Any, Any, Any], context: Any = None) -> Any:
        async def main() -> Any:
            # From a plain callback, as a stream's data() is: without a current task.
            over = loop.create_future()

            def call() -> None:
                try:
                    extra = () if context is None else (context,)
                    status, result = loop_probe.step(loop, coroutine, *extra)
                except BaseException as error:
                    over.set_result(error)
                else:
                    over.set_result((status, result))

            loop.call_soon(call)
            got = await over
            if isinstance(got, BaseException):
                raise got
            status, result = got
            run.suspended = status == 1  # type: ignore[attr-defined]
            return await result if status == 1 else result

        return loop.run_until_complete(main())

    return run


@pytest.fixture
def step(loop: guava_loop.Loop, loop_probe: ModuleType) -> Callable[..., tuple[int, Any]]:
    """loop_probe.step(coroutine, *context), called by a callback of the running loop."""

    def step(coroutine: Coroutine[Any, Any, Any], *context: Any) -> tuple[int, Any]:
        got: list[Any] = []

        def call() -> None:
            try:
                got.append(loop_probe.step(loop, coroutine, *context))
            except Exception as error:
                got.append(error)
            loop.stop()

        loop.call_soon(call)
        loop.run_forever()
        if isinstance(got[0], Exception):
            raise got[0]
        return got[0]

    return step


@pytest.fixture(params=["step", "task"])
def both(request: pytest.FixtureRequest, loop: guava_loop.Loop, run: Any) -> Callable[..., Any]:
    """Runs a coroutine by step(), and as a task of loop.create_task() to show that asyncio agrees."""
    if request.param == "step":
        return run

    def as_task(coroutine: Coroutine[Any, Any, Any]) -> Any:
        async def main() -> Any:
            return await loop.create_task(coroutine)

        return loop.run_until_complete(main())

    return as_task


# ---- without suspension --------------------------------------------------------------------------


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
        tasks = [o for o in gc.get_objects() if isinstance(o, asyncio.Task)]
        return len([repr(task) for task in tasks])

    assert run(handler()) >= 1


# ---- looking at the task -------------------------------------------------------------------------

LOOKS: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "name": lambda task: task.get_name().startswith("Task-"),
    "coro": lambda task: task.get_coro().__name__,
    "context": lambda task: type(getattr(task, "get_context", contextvars.copy_context)()),
    "loop": lambda task: task.get_loop(),
    "done": lambda task: (task.done(), task.cancelled(), task.cancelling()),
    "stack": lambda task: len(task.get_stack()),
    "result": lambda task: pytest.raises(asyncio.InvalidStateError, task.result) and None,
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


# ---- with suspension -----------------------------------------------------------------------------


def test_the_same_task_before_and_after(run: Any) -> None:
    async def handler() -> Any:
        before = asyncio.current_task()
        await asyncio.sleep(0.001)
        assert asyncio.current_task() is before
        return before

    task = run(handler())
    assert run.suspended
    assert task.done()


def test_sleep_zero(run: Any) -> None:
    async def handler() -> int:
        for i in range(5):
            await asyncio.sleep(0)
        return i

    assert run(handler()) == 4


def test_futures(loop: Any, both: Any) -> None:
    async def handler() -> Any:
        future = loop.create_future()
        loop.call_soon(future.set_result, 1)
        first = await future
        failing = loop.create_future()
        loop.call_soon(failing.set_exception, Custom("from a future"))
        try:
            await failing
        except Custom as error:
            return first, str(error)

    assert both(handler()) == (1, "from a future")


def test_timeout(both: Any) -> None:
    async def handler() -> str:
        async with asyncio.timeout(10):
            pass
        try:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(10)
        except TimeoutError:
            return "timed out"
        return "slept"

    assert both(handler()) == "timed out"


def test_timeout_of_zero(both: Any) -> None:
    async def handler() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(10)
        except TimeoutError:
            return "timed out"
        return "slept"

    assert both(handler()) == "timed out"


def test_task_group(both: Any) -> None:
    async def handler() -> Any:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0.001, i)) for i in range(3)]
        return [task.result() for task in tasks]

    assert both(handler()) == [0, 1, 2]


def test_task_group_that_fails(both: Any) -> None:
    async def fail() -> None:
        raise Custom("one of them")

    async def handler() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.sleep(10)

    with pytest.raises(ExceptionGroup) as caught:
        both(handler())
    assert [str(error) for error in caught.value.exceptions] == ["one of them"]


def test_wait_for_and_gather_and_shield(both: Any) -> None:
    async def handler() -> Any:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(10), 0.001)
        gathered = await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0.001, 2))
        shielded = await asyncio.shield(asyncio.sleep(0.001, 3))
        return [*gathered, shielded]

    assert both(handler()) == [1, 2, 3]


def test_async_generators(both: Any) -> None:
    async def numbers() -> Any:
        for i in range(3):
            yield i
            await asyncio.sleep(0)

    async def handler() -> Any:
        return [i async for i in numbers()]

    assert both(handler()) == [0, 1, 2]


def test_a_yielded_object_that_is_no_future(both: Any) -> None:
    class Odd:
        def __await__(self) -> Any:
            yield 42

    async def handler() -> None:
        await Odd()

    with pytest.raises(RuntimeError, match="bad yield: 42"):
        both(handler())


def test_other_coroutines(run: Any) -> None:
    """Any object with a coroutine's methods."""

    class Own(Coroutine[Any, Any, Any]):
        def __init__(self) -> None:
            self.steps = 0

        def send(self, value: Any) -> Any:
            self.steps += 1
            if self.steps == 3:
                raise StopIteration(self.steps)
            return None

        def throw(self, *args: Any) -> Any:
            raise args[0]

        def close(self) -> None:
            pass

        def __await__(self) -> Any:
            return self

    assert run(Own()) == 3


def test_what_is_no_coroutine(step: Any) -> None:
    with pytest.raises((AttributeError, TypeError)):
        step(42)


# ---- cancellation --------------------------------------------------------------------------------


def test_cancelled_from_outside(loop: Any, loop_probe: Any) -> None:
    seen: list[str] = []

    async def handler() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError as error:
            seen.append(str(error))
            raise

    async def main() -> None:
        status, task = loop_probe.step(loop, handler())
        assert status == 1
        await asyncio.sleep(0)
        assert task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    loop.run_until_complete(main())
    assert seen == ["enough"]


@pytest.mark.parametrize("wait", ["sleep", "zero", "done future", "shield", "nothing"])
def test_cancelled_by_itself_in_the_first_step(loop: Any, both: Any, wait: str) -> None:
    trace: list[str] = []

    async def handler() -> str:
        done = loop.create_future()
        asyncio.current_task().cancel("by myself")
        try:
            trace.append("waiting")
            if wait == "sleep":
                await asyncio.sleep(10)
            elif wait == "zero":
                await asyncio.sleep(0)
            elif wait == "shield":
                await asyncio.shield(done)
            elif wait == "done future":
                done.set_result(1)
                await asyncio.wait([done])
                await asyncio.sleep(0)
        except asyncio.CancelledError as error:
            trace.append(f"cancelled {error}")
            raise
        trace.append("went on")
        return "result"

    with pytest.raises(asyncio.CancelledError):
        both(handler())
    last = "went on" if wait == "nothing" else "cancelled by myself"
    assert trace == ["waiting", last]


def test_cancellation_that_is_caught(both: Any) -> None:
    async def handler() -> Any:
        task = asyncio.current_task()
        task.cancel()
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            pass
        left = task.uncancel()
        await asyncio.sleep(0)
        return left, task.cancelling()

    assert both(handler()) == (0, 0)


def test_a_future_that_refuses_to_be_cancelled(loop: Any, both: Any) -> None:
    class Stubborn(asyncio.Future):  # type: ignore[type-arg]
        def cancel(self, msg: Any = None) -> bool:
            return False

    async def handler() -> str:
        future = Stubborn(loop=loop)
        loop.call_soon(future.set_result, "value")
        asyncio.current_task().cancel()
        try:
            await future
        except asyncio.CancelledError:
            return "cancelled"
        return "value"

    assert both(handler()) == "cancelled"


def test_an_exception_after_self_cancel_wins(both: Any) -> None:
    async def handler() -> None:
        asyncio.current_task().cancel()
        raise Custom

    with pytest.raises(Custom):
        both(handler())


def test_cancelled_error_raised_by_hand(both: Any) -> None:
    async def handler() -> None:
        raise asyncio.CancelledError("by hand")

    with pytest.raises(asyncio.CancelledError):
        both(handler())


@pytest.mark.parametrize("look", [False, True])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_base_exceptions(loop: Any, loop_probe: Any, kind: Any, look: bool) -> None:
    async def handler() -> None:
        if look:
            asyncio.current_task().get_name()
        raise kind

    def call() -> None:
        with pytest.raises(kind):
            loop_probe.step(loop, handler())
        loop.stop()

    loop.call_soon(call)
    if look:  # as asyncio: it leaves run_forever() too
        with pytest.raises(kind):
            loop.run_forever()
    else:
        loop.run_forever()


# ---- contexts ------------------------------------------------------------------------------------

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outer")


def test_changes_stay_inside(run: Any) -> None:
    async def handler(suspend: bool) -> str:
        assert variable.get() == "outer"
        variable.set("inner")
        if suspend:
            await asyncio.sleep(0)
        return variable.get()

    for suspend in (False, True, False):
        assert run(handler(suspend)) == "inner"
        assert variable.get() == "outer"


def test_tokens_are_valid_after_a_suspension(both: Any) -> None:
    async def handler() -> Any:
        token = variable.set("inner")
        await asyncio.sleep(0)
        during = variable.get()
        variable.reset(token)
        return during, variable.get()

    assert both(handler()) == ("inner", "outer")


def test_a_given_context(run: Any) -> None:
    context = contextvars.copy_context()

    async def handler(suspend: bool) -> None:
        variable.set("first")
        if suspend:
            await asyncio.sleep(0)
            variable.set("second")

    run(handler(False), context)
    assert context[variable] == "first"
    run(handler(True), context)
    assert context[variable] == "second"


def test_a_context_that_is_in_use(loop: Any, loop_probe: Any) -> None:
    context = contextvars.copy_context()

    async def handler() -> None:
        pass

    coroutine = handler()
    with pytest.raises(RuntimeError, match="context"):
        context.run(loop_probe.step, loop, coroutine, context)
    coroutine.close()
    assert asyncio.current_task(loop) is None
    assert loop_probe.step(loop, handler(), context) == (0, None)


def test_children_inherit_the_context(both: Any) -> None:
    async def child() -> str:
        return variable.get()

    async def handler() -> str:
        variable.set("for the child")
        return await asyncio.create_task(child())

    assert both(handler()) == "for the child"


# ---- nesting, misuse, memory ---------------------------------------------------------------------


def test_a_step_inside_a_step_and_inside_a_task(loop: Any, loop_probe: Any) -> None:
    async def inner(suspend: bool) -> Any:
        me = asyncio.current_task()
        if suspend:
            await asyncio.sleep(0)
            assert asyncio.current_task() is me
        return me

    async def outer() -> Any:
        me = asyncio.current_task()
        first = loop_probe.step(loop, inner(False))
        assert first[0] == 0 and first[1] is not me
        assert asyncio.current_task() is me
        status, task = loop_probe.step(loop, inner(True))
        assert status == 1
        assert asyncio.current_task() is me
        assert await task is task
        assert asyncio.current_task() is me
        return me

    async def main() -> None:
        me = asyncio.current_task()
        status, task = loop_probe.step(loop, outer())
        assert asyncio.current_task() is me
        assert status == 1
        assert await task is task
        assert await outer() is me

    loop.run_until_complete(main())


def test_a_coroutine_that_ran_already(step: Any) -> None:
    async def handler() -> None:
        pass

    coroutine = handler()
    step(coroutine)
    with pytest.raises(RuntimeError, match="already awaited"):
        step(coroutine)


def test_a_task_left_pending_is_reported(loop: Any, step: Any) -> None:
    async def handler() -> None:
        await loop.create_future()

    step(handler())
    loop.call_soon(loop.stop)
    loop.run_forever()
    gc.collect()
    messages = [error["message"] for error in loop.errors]
    assert messages == ["Task was destroyed but it is pending!"]
    loop.errors.clear()


def test_debug_mode(loop: Any, run: Any) -> None:
    loop.set_debug(True)

    async def handler() -> Any:
        await asyncio.sleep(0)
        return repr(asyncio.current_task())

    assert "handler" in run(handler())


def test_anyio(run: Any) -> None:
    anyio = pytest.importorskip("anyio", reason="anyio is not installed")

    async def handler() -> Any:
        with anyio.move_on_after(0.001) as scope:
            await anyio.sleep(10)
        with pytest.raises(TimeoutError), anyio.fail_after(0.001):
            await anyio.sleep(10)
        results = []

        async def child(i: int) -> None:
            await anyio.sleep(0)
            results.append(i)

        async with anyio.create_task_group() as group:
            for i in range(3):
                group.start_soon(child, i)
        return scope.cancelled_caught, sorted(results)

    assert run(handler()) == (True, [0, 1, 2])


def test_anyio_without_suspension(step: Any) -> None:
    anyio = pytest.importorskip("anyio", reason="anyio is not installed")

    async def handler() -> int:
        with anyio.CancelScope():
            return 1

    assert [step(handler()) for _ in range(3)] == [(0, 1)] * 3
