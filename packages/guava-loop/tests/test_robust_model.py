"""Random sequences of operations on both ends of a connection: asyncio's loop says what is right.

Each sequence is played on asyncio's loop and on ours, and what the two protocols were told must be
the same. GUAVA_SEEDS=1000 plays that many; GUAVA_SEED=7 plays that one and prints it.
"""

import asyncio
import os
import random
import socket
from collections.abc import Callable
from typing import Any

import pytest

SEEDS = int(os.environ.get("GUAVA_SEEDS", "40"))
SMALL = (0, 1, 10, 1000)
BIG = (1, 1000, 30_000, 1_000_000)
WEIGHTS = {
    "write": 8,
    "writelines": 3,
    "pause_reading": 3,
    "resume_reading": 4,
    "set_protocol": 1,
    "keep": 3,
    "set_write_buffer_limits": 2,
    "write_eof": 2,
    "close": 1,
    "abort": 1,
    "arm": 8,
    "both": 3,
}
CALLS = (
    "close",
    "abort",
    "pause_reading",
    "resume_reading",
    "write_eof",
    "write",
    "set_protocol",
    "raise",
    "nothing",
)
CALLBACKS = ("data_received", "eof_received", "connection_lost", "connection_made")

Step = tuple[int, str, Any]


class End:
    """One end: its transport, and the history of what its protocols were told."""

    def __init__(self, play: Any, kind: type[Any]) -> None:
        self.play = play
        self.kind = kind
        self.history: list[Any] = []
        self.armed: dict[str, list[str]] = {name: [] for name in CALLBACKS}
        self.keeps_open = False
        self.paused = False
        self.transport: Any = None

    def note(self, *what: Any) -> None:
        # How many pieces bytes come in is not said.
        if what[0] == "data" and self.history and self.history[-1][0] == "data":
            what = ("data", self.history.pop()[1] + what[1])
        self.history.append(what)

    def callback(self, name: str) -> None:
        if self.armed[name]:
            self.do(self.armed[name].pop(0), 10)

    def do(self, what: str, arg: Any) -> None:
        """One operation; what it raises is part of the history."""
        transport = self.transport
        try:
            if what == "raise":
                self.note("raises")
                raise ZeroDivisionError
            if what == "write":
                transport.write(b"x" * arg)
            elif what == "writelines":
                transport.writelines([b"x" * arg, b"", bytearray(b"y" * arg)])
            elif what == "set_protocol":
                transport.set_protocol(self.kind(self))
            elif what == "set_write_buffer_limits":
                transport.set_write_buffer_limits(arg)
            elif what == "arm":
                self.armed[arg[0]].append(arg[1])
            elif what == "keep":
                self.keeps_open = arg
            elif what != "nothing":
                getattr(transport, what)()
        except ZeroDivisionError:
            raise
        except (AttributeError, TypeError):
            pass  # asyncio's, of a transport whose end has come meanwhile
        except Exception as error:
            self.note("refused", what, type(error).__name__)


class Base:
    def __init__(self, end: End) -> None:
        self.end = end

    def connection_made(self, transport: Any) -> None:
        self.end.transport = transport
        self.end.note("made")
        self.end.callback("connection_made")

    def connection_lost(self, exc: Exception | None) -> None:
        self.end.note("lost", type(exc).__name__)
        self.end.callback("connection_lost")

    def eof_received(self) -> bool:
        if ("eof",) in self.end.history:
            return True  # after resume_reading() asyncio says it again, ours does not
        self.end.note("eof")
        self.end.callback("eof_received")
        return self.end.keeps_open

    def pause_writing(self) -> None:
        assert not self.end.paused
        self.end.paused = True

    def resume_writing(self) -> None:
        assert self.end.paused
        self.end.paused = False


class Plain(Base, asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        self.end.note("data", len(data))
        self.end.callback("data_received")


class Buffered(Base, asyncio.BufferedProtocol):
    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.buffer = bytearray(50_000)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.end.note("data", nbytes)
        self.end.callback("data_received")


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = socket.create_connection(listener.getsockname())
        return left, listener.accept()[0]


SOCKETS: dict[str, Callable[[], tuple[socket.socket, socket.socket]]] = {
    "unix": socket.socketpair,
    "tcp": tcp_pair,
}


def sequence(seed: int) -> list[Step]:
    """What to do, of which end (0 or 1). Large writes and operations inside of callbacks do not
    meet: how much has come by then depends on the pieces."""
    chance = random.Random(seed)
    big = chance.random() < 0.5
    steps: list[Step] = []
    for _ in range(chance.randint(2, 14)):
        weights = {**WEIGHTS, "arm": 0} if big else WEIGHTS
        what = chance.choices(list(weights), list(weights.values()))[0]
        arg: Any = None
        if what in ("write", "writelines"):
            # Nothing at all is what asyncio waits for room for, since 3.12.
            arg = chance.choice(BIG if big else SMALL) or int(what == "writelines")
        elif what == "set_write_buffer_limits":
            arg = chance.choice((0, 1000, 100_000))
        elif what == "keep":
            arg = chance.random() < 0.7
        elif what == "arm":
            arg = chance.choice(CALLBACKS[:3]), chance.choice(CALLS)
        steps.append((chance.randrange(2), what, arg))
    return steps


async def connect(play: Any, ends: list[End], sockets: Any, tls: Any) -> None:
    server, client = (lambda end=end: end.kind(end) for end in ends)
    if tls is None:
        await play.loop.connect_accepted_socket(server, sockets[0])
        await play.loop.connect_accepted_socket(client, sockets[1])
    else:
        names = {"ssl": tls[1], "server_hostname": "localhost"}
        await asyncio.gather(
            play.loop.connect_accepted_socket(server, sockets[0], ssl=tls[0]),
            play.loop.create_connection(client, sock=sockets[1], **names),
        )


async def perform(play: Any, seed: int, steps: list[Step], tls: Any) -> None:
    chance = random.Random(~seed)
    # What TCP holds back for a while is not for a test to wait for.
    small = tls is None and all(not isinstance(arg, int) or arg <= 1000 for _, _, arg in steps)
    sockets = SOCKETS[chance.choice(list(SOCKETS)) if small else "unix"]()
    ends = [End(play, chance.choice((Plain, Buffered))) for _ in sockets]
    await connect(play, ends, sockets, tls)

    async def settle() -> None:
        before = None
        while before != (before := [(len(end.history), end.history[-1]) for end in ends]):
            await play.settle(6)

    await settle()
    hold = False
    for number, what, arg in steps:
        if what == "both":  # the next two without a turn of the loop between
            hold = True
            continue
        try:
            ends[number].do(what, arg)
        except ZeroDivisionError:
            play.note("raised")
        if not hold:
            await settle()
        hold = False
    for end in ends:
        end.do("resume_reading", None)
    await settle()
    if not {"close", "abort", "write_eof", "arm"} & {what for _, what, _ in steps}:
        sizes = {"write": 1, "writelines": 2}
        for number, end in enumerate(ends):
            sent = [(what, arg) for other, what, arg in steps if other != number]
            total = sum(sizes.get(what, 0) * arg for what, arg in sent if what in sizes)
            assert sum(what[1] for what in end.history if what[0] == "data") == total
    for end in ends:
        lost = "lost" in {what[0] for what in end.history}
        end.note("closing", lost, end.transport.is_closing())
        if not lost:  # asyncio's may fail then
            end.transport.abort()
    await play.settle(3)
    for end, sock in zip(ends, sockets, strict=True):
        told = [what[0] for what in end.history]
        assert told.count("lost") == 1 and told.count("made") == 1, end.history
        assert sock.fileno() == -1
        play.note("end", *end.history)


def differs(alike: Any, seed: int, steps: list[Step], tls: Any) -> str | None:
    try:
        # How asyncio's TLS ends differs from run to run.
        alike(lambda play: perform(play, seed, steps, tls), alone=tls is not None)
    except AssertionError as error:
        return str(error) or "an assertion"
    return None


def shortest(alike: Any, seed: int, steps: list[Step], tls: Any) -> list[Step]:
    """Without the steps that are not needed for the difference."""
    index = 0
    while index < len(steps):
        fewer = steps[:index] + steps[index + 1 :]
        if differs(alike, seed, fewer, tls):
            steps = fewer
        else:
            index += 1
    return steps


def play_seeds(alike: Any, seeds: int, tls: Any) -> None:
    one = os.environ.get("GUAVA_SEED")
    for seed in [int(one)] if one else range(seeds):
        steps = sequence(seed)
        if one:
            print(steps)
        if differs(alike, seed, steps, tls):
            steps = shortest(alike, seed, steps, tls)
            pytest.fail(f"GUAVA_SEED={seed}: {steps}\n{differs(alike, seed, steps, tls)}")


def test_random_operations(alike: Any) -> None:
    play_seeds(alike, SEEDS, None)


def test_random_operations_over_tls(alike: Any, tls_contexts: Any) -> None:
    play_seeds(alike, SEEDS // 3, tls_contexts)
