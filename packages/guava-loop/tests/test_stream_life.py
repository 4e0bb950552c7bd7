"""Streams whose loop is forgotten, forked, or one of many."""

import gc
import os
import socket
import threading
from types import ModuleType
from typing import Any

import guava_loop
import pytest


def serve(loop: Any, echo_server: ModuleType) -> Any:
    """The address of an echo server on the loop."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    address = listener.getsockname()
    echo_server.serve(loop, listener.detach())
    return address


def talk(loop: Any, client: socket.socket, data: bytes) -> bytes:
    """What the client, on a thread of its own, gets for its data."""
    client.settimeout(10)
    got: list[bytes] = []

    def run() -> None:
        try:
            client.sendall(data)
            while len(b"".join(got)) < len(data):
                got.append(client.recv(len(data)))
        finally:
            loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=run)
    thread.start()
    loop.run_forever()
    thread.join()
    return b"".join(got)


def test_a_loop_that_is_forgotten(echo_server: ModuleType) -> None:
    loop = guava_loop.new_event_loop()
    address = serve(loop, echo_server)
    before = echo_server.counts()[1]
    with socket.create_connection(address) as client:
        assert talk(loop, client, b"hello") == b"hello"
        with pytest.warns(ResourceWarning, match="unclosed"):
            del loop
            gc.collect()
        assert echo_server.counts()[1] == before + 1
        client.settimeout(10)
        assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_a_child_that_closes_its_copy(loop: Any, echo_server: ModuleType) -> None:
    address = serve(loop, echo_server)
    with socket.create_connection(address) as client:
        assert talk(loop, client, b"before") == b"before"
        child = os.fork()
        if child == 0:
            code = 1
            try:
                loop.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert talk(loop, client, b"after") == b"after"
        with socket.create_connection(address) as another:
            assert talk(loop, another, b"more") == b"more"


def test_loops_in_many_threads(echo_server: ModuleType) -> None:
    wrong: list[Any] = []

    def run() -> None:
        loop = guava_loop.new_event_loop()
        try:
            address = serve(loop, echo_server)
            for _ in range(20):
                with socket.create_connection(address) as client:
                    data = os.urandom(100_000)
                    if talk(loop, client, data) != data:
                        wrong.append("other bytes")
        except BaseException as error:
            wrong.append(error)
        finally:
            loop.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
