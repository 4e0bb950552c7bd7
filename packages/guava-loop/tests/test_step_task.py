"""step() beyond the first suspension: the task that takes over, cancellation, contexts."""

import asyncio
import contextvars
import gc
from collections.abc import Coroutine
from typing import Any

import pytest


class Custom(Exception):
    pass


# ---- with suspension ---------------------------------------------------------------------------


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
        count = 0
        while count < 4:
            await asyncio.sleep(0)
            count += 1
        return count

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


# ---- cancellation ------------------------------------------------------------------------------


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


# ---- contexts ----------------------------------------------------------------------------------

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


# ---- nesting, misuse, memory -------------------------------------------------------------------


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
