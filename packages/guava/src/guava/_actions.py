"""From an action to an answer: the hooks, the session and the response around one call.

For every action that a router can reach, `compile_action` makes one function of request and
arguments. What depends on the class alone is decided there, once, so that the function of a plain
action does little more than call it.
"""

import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable
from types import FunctionType
from typing import Any, TypeAlias

from guava_http import Request, Response
from guava_router import Invoker

from ._sessions import Binding
from .controller import Controller
from .response import HTTPError

#: What `_steps` yields is awaited for it; what it returns is the answer.
Steps: TypeAlias = Generator[Awaitable[Any], Any, Any]

#: Makes the answer from an exception.
Failed: TypeAlias = Callable[[Request, Exception], Any]

#: Answers a request, given the arguments that its URL has for the action.
Run: TypeAlias = Callable[..., Any]


def joined(out: Iterable[str | bytes]) -> str | bytes:
    """What was written, in one piece; text as long as all of it is text."""
    pieces = list(out)
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(pieces)  # type: ignore[arg-type]
    return b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces)


def _result(controller: Controller, result: Any) -> Any:
    """What the action said, whether it returned or wrote it; None if it did neither."""
    out = controller._out
    if out is None:
        return result
    if result is not None:
        raise TypeError(
            f"an action either writes or returns its answer; {type(controller).__name__} did "
            f"both, and returned {type(result).__name__}"
        )
    return out if isinstance(out, str) else joined(out)


def _respond(controller: Controller, result: Any) -> Response:
    """The response with what the action said in it."""
    if not isinstance(result, Response):
        resp = controller.resp
        if result is not None:
            resp.body = result
        return resp
    was = controller._resp
    if was is not None and was is not result:
        # What was set on the controller comes along; what the response has itself stays.
        own = {name.lower() for name in result.headers}
        for name, value in was.headers.multi_items():
            if name.lower() == "set-cookie" or name.lower() not in own:
                result.headers.add(name, value)
    controller._resp = result
    return result


def finish(controller: Controller, binding: Binding, result: Any) -> Any:
    """The answer of an action that has no `after_action` to come, or the awaitable of it."""
    result = _result(controller, result)
    session = controller._session
    if isinstance(session, Binding):
        if controller._resp is None:
            return "" if result is None else result
        return _respond(controller, result)
    resp = _respond(controller, result)
    if binding.awaited:
        return binding.acommit(session, resp)
    binding.commit(session, resp)
    return resp


def _redirects(controller: Controller) -> bool:
    resp = controller._resp
    return resp is not None and 300 <= resp.status < 400


def waits(value: object) -> bool:
    return hasattr(type(value), "__await__")


async def guarded(waiting: Awaitable[Any], req: Request, failed: Failed) -> Any:
    try:
        return await waiting
    except Exception as error:
        return failed(req, error)


async def _drive(steps: Steps, first: Awaitable[Any]) -> Any:
    """Goes on with an action that turned out to wait for something."""
    waiting = first
    try:
        while True:
            try:
                value = await waiting
            except Exception as error:
                waiting = steps.throw(error)
            else:
                waiting = steps.send(value)
    except StopIteration as stop:
        return stop.value
    finally:
        # When the task is cancelled, what the action has open is closed now and not by chance.
        steps.close()


def _own_code(run: Run) -> Run:
    """The function with a code object to itself.

    The interpreter specializes a code object for the class of the objects that it meets. Shared by
    all controllers of a site, it would be specialized for the first and slow for the others.
    """
    assert isinstance(run, FunctionType)
    return FunctionType(
        run.__code__.replace(), run.__globals__, run.__name__, run.__defaults__, run.__closure__
    )


def compile_action(cls: type[Controller], name: str, binding: Binding, failed: Failed) -> Run:
    """The function that answers requests with an action.

    Args:
        cls: a user's class.
        name: one of its methods.
        binding: the sessions of the router in charge.
        failed: gets what is raised in a coroutine; what is raised at once is raised to the caller.
    """
    action = getattr(cls, name)
    before = None if cls.before_action is Controller.before_action else cls.before_action
    after = None if cls.after_action is Controller.after_action else cls.after_action

    def new(req: Request) -> Controller:
        controller = cls()
        controller.req = req
        controller._out = controller._resp = None
        controller._session = binding
        return controller

    def finish_plain(controller: Controller, result: Any) -> Any:
        if waits(result):
            return guarded(go_on(controller, result), controller.req, failed)
        return finish(controller, binding, result)

    async def go_on(controller: Controller, result: Awaitable[Any]) -> Any:
        return finish(controller, binding, await result)

    def run_plain(req: Request, *args: str) -> Any:
        controller = new(req)
        return finish_plain(controller, action(controller, *args))

    async def run_async(req: Request, *args: str) -> Any:
        # What an Invoker does for plain functions, as far as Python does it quickly.
        controller: Any = cls()
        controller.req = req
        controller._out = controller._resp = None
        controller._session = binding
        try:
            result = await (action(controller, *args) if args else action(controller))
            if controller._resp is None and controller._session is binding:
                out = controller._out
                if out is None:
                    if type(result) is str:
                        return result
                elif result is None and type(out) is str:
                    return out
            return finish(controller, binding, result)
        except Exception as error:
            return failed(req, error)

    def steps(controller: Controller, args: tuple[str, ...]) -> Steps:
        if before is not None:
            verdict: Any = before(controller)
            if waits(verdict):
                verdict = yield verdict
            if verdict is False or _redirects(controller):
                if controller._resp is None and controller._out is None:
                    return finish(controller, binding, failed(controller.req, HTTPError(403)))
                return finish(controller, binding, None)
            if verdict is not None and verdict is not True:
                return finish(controller, binding, verdict)
        result = action(controller, *args)
        if waits(result):
            result = yield result
        if after is not None:
            _respond(controller, _result(controller, result))
            controller._out = result = None
            waiting: Any = after(controller)
            if waits(waiting):
                yield waiting
            if controller._out is not None:
                raise TypeError("after_action cannot write(): the answer is there, as self.resp")
        return finish(controller, binding, result)

    def run_steps(req: Request, *args: str) -> Any:
        going = steps(new(req), args)
        try:
            first = next(going)
        except StopIteration as stop:
            return stop.value
        return guarded(_drive(going, first), req, failed)

    async def go_awaited(req: Request, args: tuple[str, ...]) -> Any:
        controller = new(req)
        session = controller._session = await binding.load(req)
        controller._binding = binding
        try:
            going = steps(controller, args)
            try:
                first = next(going)
            except StopIteration as stop:
                result = stop.value
            else:
                result = await _drive(going, first)
            return await result if waits(result) else result
        finally:
            await binding.release(session)

    def run_awaited(req: Request, *args: str) -> Any:
        return guarded(go_awaited(req, args), req, failed)

    if binding.awaited:
        return _own_code(run_awaited)
    if before is not None or after is not None:
        return _own_code(run_steps)
    if inspect.iscoroutinefunction(action):
        return _own_code(run_async)
    fresh = {"_out": None, "_resp": None, "_session": binding}
    try:
        return Invoker(cls, action, Controller, "req", fresh, "_out", finish_plain)
    except TypeError:
        # The class has something else under one of these names, such as a property `req`.
        return run_plain
