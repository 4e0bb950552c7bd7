"""Every private name of the standard library that this package relies on, and what for.

Loop inherits from asyncio.SelectorEventLoop and replaces some of what it inherits. A Python that
renames or drops one of these names fails here, with the name, before it fails somewhere else.
"""

import ast
import asyncio
import inspect
import os
import signal
import socket
import textwrap
from asyncio import base_events, events, format_helpers, selector_events, unix_events
from types import FunctionType

import guava_loop
import pytest
from guava_loop._core import Core

# Methods of asyncio's that Core replaces, with who calls them.
REPLACED = {
    "call_soon": "users, futures and tasks",
    "call_soon_threadsafe": "users, executors",
    "call_later": "users, timeouts",
    "call_at": "users, timeouts",
    "time": "users, timeouts",
    "stop": "users, run_until_complete",
    "create_task": "users, asyncio.create_task(), TaskGroup, gather()",
    "create_future": "users, locks, queues, streams",
    "sock_recv": "users",
    "sock_recv_into": "users",
    "sock_recvfrom": "users",
    "sock_recvfrom_into": "users",
    "sock_sendall": "users, the sendfile of sockets without one",
    "sock_sendto": "users",
    "sock_connect": "users, create_connection()",
    "get_debug": "every future and task that is made",
    "_run_once": "run_forever, until _stopping is true after it",
    "_add_callback": "asyncio's selector events",
    "_add_callback_signalsafe": "the delivery of signals, with asyncio's own Handle",
    "_write_to_self": "threads and signals",
    "_timer_handle_cancelled": "asyncio's own TimerHandle",
    "_add_reader": "transports, sock_ methods, add_reader",
    "_add_writer": "transports, sock_ methods, add_writer",
    "_remove_reader": "transports, sock_ methods, remove_reader",
    "_remove_writer": "transports, sock_ methods, remove_writer",
    "_make_socket_transport": "create_connection, create_server, connect_accepted_socket",
    "_ensure_fd_no_transport": "add_reader and its kin, sock_ methods",
}

# Hooks of asyncio's that Loop overrides in Python, with who calls them.
OVERRIDDEN = {
    "_make_datagram_transport": "create_datagram_endpoint",
    "_make_ssl_transport": "create_connection, create_server, connect_accepted_socket",
    "start_tls": "users, StreamWriter.start_tls()",
    "_make_read_pipe_transport": "connect_read_pipe, subprocesses",
    "_make_write_pipe_transport": "connect_write_pipe, subprocesses",
}

# Attributes that BaseEventLoop assigns and Core keeps.
ATTRIBUTES = ["_stopping", "_closed", "_debug", "_ready", "_scheduled", "_current_handle"]
ATTRIBUTES += ["_task_factory"]

# Methods of asyncio's that ours call.
CALLED = ["_check_closed", "_check_running", "_check_thread", "_check_callback"]


def own(cls: type, name: str) -> object:
    """What the class and its bases say, and not its metaclass."""
    for base in cls.__mro__:
        if name in vars(base):
            return vars(base)[name]
    pytest.fail(f"{cls.__name__} has no {name} any more")


def assigned_in(function: FunctionType) -> set[str]:
    """The attributes of self that a function assigns."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


@pytest.mark.parametrize("name", REPLACED)
def test_what_is_replaced_is_there_to_be_replaced(name):
    assert callable(own(asyncio.SelectorEventLoop, name))
    assert own(guava_loop.Loop, name) is vars(Core)[name]


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_what_is_overridden_takes_the_same_arguments(name):
    theirs = inspect.signature(getattr(asyncio.SelectorEventLoop, name)).parameters
    ours = inspect.signature(vars(guava_loop.Loop)[name]).parameters
    assert [(p.name, p.default) for p in ours.values()] == [
        (p.name, p.default) for p in theirs.values()
    ]


def test_nothing_else_is_replaced():
    public = {name for name in vars(Core) if not name.startswith("__")}
    ours_alone = {"_polled", "_serve", "_close_streams", "_close_native"}
    ours_alone |= {"_stats", "_watch", "_look", "_look_at", "_look_frame", "_watch_wake"}
    assert public == set(REPLACED) | set(ATTRIBUTES) | ours_alone
    for name in ours_alone:
        assert not hasattr(asyncio.SelectorEventLoop, name)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_are_assigned_by_asyncio_and_kept_in_c(name):
    assert name in assigned_in(base_events.BaseEventLoop.__init__) | assigned_in(
        base_events.BaseEventLoop.set_debug
    )
    loop = guava_loop.new_event_loop()
    assert name not in vars(loop)
    loop.close()


@pytest.mark.parametrize("name", CALLED)
def test_methods_that_are_called(name):
    assert callable(own(base_events.BaseEventLoop, name))


def test_the_classes_of_tasks_and_futures():
    """create_task() and create_future() ask for them in these modules, at each call."""
    assert base_events.tasks is asyncio.tasks and base_events.futures is asyncio.futures
    assert asyncio.tasks.Task is asyncio.tasks._CTask
    assert asyncio.futures.Future is asyncio.futures._CFuture
    assert "tasks.Task(" in inspect.getsource(base_events.BaseEventLoop.create_task)
    assert "futures.Future(loop=self)" in inspect.getsource(
        base_events.BaseEventLoop.create_future
    )


def test_run_forever_goes_round_until_stopping():
    source = inspect.getsource(base_events.BaseEventLoop.run_forever)
    assert "self._run_once()" in source and "if self._stopping:" in source


def test_the_thread_of_a_running_loop():
    async def main():
        return asyncio.get_running_loop()._thread_id is not None

    assert guava_loop.run(main()) is True


def test_the_queues_are_only_measured_and_cleared():
    """BaseEventLoop.close() and others: what a window on our queues can do."""
    loop = guava_loop.new_event_loop()
    loop._ready = loop._scheduled = []
    loop.call_soon(print)
    loop.call_later(1, print)
    assert len(loop._ready) == len(loop._scheduled) == 1
    assert [type(handle) for handle in loop._ready] == [guava_loop.Handle]
    assert [type(handle) for handle in loop._scheduled] == [guava_loop.TimerHandle]
    loop._ready.clear()
    loop._scheduled.clear()
    assert not loop._ready and not loop._scheduled
    with pytest.raises(TypeError):
        loop._scheduled.append(loop.call_later(1, print))
    loop.close()


def test_a_handle_has_what_asyncio_looks_at():
    loop = guava_loop.new_event_loop()
    theirs = set(events.Handle.__slots__) - {"__weakref__", "_repr"}
    # _repr is a cache of theirs.
    for handle in (loop.call_soon(print), loop.call_later(1, print)):
        for name in (*theirs, "_run", "cancel", "cancelled"):
            assert hasattr(handle, name), name
    assert set(events.TimerHandle.__slots__) <= {"_scheduled", "_when"}
    loop.close()


def test_the_selector_is_kept_and_asked():
    loop = guava_loop.new_event_loop()
    assert isinstance(loop._selector, guava_loop.selector.Selector)
    assert "_selector" in assigned_in(selector_events.BaseSelectorEventLoop.__init__)
    assert selector_events._test_selector_event(loop._selector, loop._ssock.fileno(), 1) is True
    loop.close()
    assert loop._selector is None


def test_signals_arrive_at_a_socket():
    """Loop.run_forever() gives asyncio's own socket to signal.set_wakeup_fd()."""
    loop = guava_loop.new_event_loop()
    assert isinstance(loop._csock, socket.socket) and isinstance(loop._ssock, socket.socket)
    assert loop._signal_handlers == {}
    seen = []
    loop.add_signal_handler(signal.SIGUSR2, seen.append, 1)
    assert signal.SIGUSR2 in loop._signal_handlers
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR2)
    loop.call_later(0.02, loop.stop)
    loop.run_forever()
    loop.close()
    assert seen == [1]
    assert "_csock" in inspect.getsource(unix_events._UnixSelectorEventLoop.add_signal_handler)


def test_functions_that_word_messages():
    code = format_helpers._format_callback_source.__code__
    assert code.co_varnames[: code.co_argcount] == ("func", "args")
    assert set(code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]) <= {"debug"}
    assert callable(format_helpers.extract_stack) and callable(base_events._format_handle)
    assert hasattr(base_events, "logger")


def test_what_a_step_of_a_request_needs():
    """step.c makes a task the current one before it is initialised."""
    from asyncio import tasks

    assert isinstance(asyncio.Task, type)
    # From 3.14 on the current task is in the thread's state, and the dictionary is gone.
    assert isinstance(getattr(tasks, "_current_tasks", None), dict) or hasattr(
        tasks, "_swap_current_task"
    )


def test_what_tls_is_made_of():
    """tls_engine.c calls the methods of _ssl's objects, and looks for the OpenSSL object here."""
    _ssl = pytest.importorskip("_ssl", reason="this Python was built without OpenSSL")
    import ssl

    assert {"read", "write", "pending"} <= vars(_ssl._SSLSocket).keys()
    assert ssl.MemoryBIO is _ssl.MemoryBIO
    assert {"read", "write", "pending"} <= vars(ssl.MemoryBIO).keys()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    assert type(made) is ssl.SSLObject and type(made._sslobj) is _ssl._SSLSocket
    # What gets by these two would not be decrypted by what the user has asked for.
    assert {"read", "write", "pending"} <= vars(ssl.SSLObject).keys()


def test_what_start_tls_moves_from_a_reader():
    async def main():
        reader = asyncio.StreamReader()
        reader.feed_data(b"ab")
        protocol = asyncio.StreamReaderProtocol(reader)
        return protocol._stream_reader is reader, bytes(reader._buffer)

    assert guava_loop.run(main()) == (True, b"ab")
