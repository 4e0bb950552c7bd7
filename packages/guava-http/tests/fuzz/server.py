"""A whole server under random clients: one process, one loop, socket pairs.

    python packages/guava-http/tests/fuzz/server.py [--seed N] [--rounds N] [--seconds N]
        [--transport native|adapter|asyncio] [--sockets pair|tcp]

Each round a few connections follow scripts: requests (grammar.py), cut anywhere, with turns of the
loop between the pieces; some stop to read, some shut down their half, some break off; now and then
the server is closed in the middle. Handlers answer in every way there is (application.py). What
must hold:

- handlers are called for the requests that the bytes hold, in their order, with their bodies, and
  for nothing else;
- each client receives the answers that were given, in their order, byte for byte, then the refusal
  of what follows, with the status that is due, and the connection's end, and nothing else
  (oracle.py); how far it must have got depends only on whether it, the server or a handler broke
  off;
- nobody is reset who has sent nothing behind what was answered;
- a connection whose client has shut down its half ends;
- a new client is served after each round;
- nothing is logged but what the handlers raise; no connection, task or descriptor is left, and the
  work that was to follow an answer has been done once.

The transports: the loop's own streams, the adapter over the transports of guava-loop, and the same
over those of asyncio's own loop. A failure names its seed and round; `--seed S --first R
--rounds 1` runs that round alone: the choices of a round depend on seed and round only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import random
import socket
import struct
import sys
import time
from typing import Any

import application
import guava_http
import guava_loop
from answers import Malformed
from application import Application, Planned
from grammar import bytes_of
from oracle import BODY, LIMITS, Judge

LONG = 120.0  # seconds; nothing takes that long unless it hangs
NEVER = guava_http.Timeouts(
    head=3600, body=3600, body_rate=0, keep_alive=3600, write=3600, request=3600
)
LINGER = 64 * 1024  # bytes behind a last answer that the server takes, and drops
RESET = struct.pack("ii", 1, 0)
TRANSPORTS = ["native", "adapter", "asyncio"]


class Client:
    """One end of a connection, and what it does with it."""

    def __init__(self, sock: socket.socket, name: Any, rng: random.Random) -> None:
        self.sock = sock
        self.name = name  # by which the server knows it
        self.rng = rng
        self.received = b""
        self.sent = b""
        self.broken = False  # by this side
        self.reset = False  # by the other

    async def turns(self, n: int) -> None:
        for _ in range(n):
            await asyncio.sleep(0)

    def drain(self) -> bool:
        """Takes what is there; False at the end."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return True
        except OSError:
            self.reset = True
            return False
        self.received += data
        return bool(data)

    async def send(self, data: bytes, reads: bool) -> bool:
        while data:
            try:
                n = self.sock.send(data)
            except BlockingIOError:
                if not reads:
                    return True
                await self.turns(1)
            except OSError:  # the server has refused it, and reads no more
                return False
            else:
                self.sent += data[:n]
                data = data[n:]
            if reads and not self.drain():
                return False
        return True

    async def script(self) -> None:
        rng = self.rng
        data = bytes_of(rng, application.NAMES)
        reads = rng.random() < 0.8
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice([0, 0, 1, 3, 9])))
        if rng.random() < 0.1:
            cuts = list(range(1, min(len(data), 400)))
        if rng.random() < 0.2:
            data = data[: rng.randrange(len(data) + 1)]
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            if not await self.send(data[start:end], reads):
                break
            await self.turns(rng.choice([0, 1, 1, 2, 5]))
        await self.turns(rng.choice([0, 0, 1, 2, 3, 5, 12]))
        await self.leave(rng.randrange(8))

    async def leave(self, how: int) -> None:
        if how == 0:
            self.broken = True
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        elif how == 1:
            self.broken = True
        else:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(LONG):
                while self.drain():
                    await asyncio.sleep(0)
        self.sock.close()

    def judge(self, calls: list[application.Call], closing: bool, tcp: bool) -> Judge:
        # What TCP resets may be lost on its way.
        lost = self.reset and tcp
        judge = Judge(self.sent, self.received, calls, self.broken or lost, closing)
        judge.judge()
        beyond = len(self.sent) - judge.used
        refused = judge.refusals > 0 and beyond <= LINGER
        if self.reset and not (self.broken or judge.cut or closing) and (beyond == 0 or refused):
            raise Malformed(f"reset, {beyond} bytes behind the last answer")
        return judge


class Log(logging.Handler):
    """Keeps what is not planned."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, Planned):
            return
        if isinstance(error, TypeError) and "a handler gave object" in str(error):
            return  # of the handler "wrong"
        if record.name == "asyncio" and str(record.msg).startswith("Executing "):
            return
        self.wrong.append(self.format(record))


class Fuzzer:
    def __init__(self, options: argparse.Namespace, log: Log) -> None:
        self.options = options
        self.log = log
        self.tcp = options.sockets == "tcp"
        self.application = Application()
        self.descriptors: int | None = None
        self.received = 0
        self.refusals = 0
        self.server: guava_http.Server

    async def start(self) -> None:
        self.server = guava_http.Server(
            self.application,
            port=0,
            sockets=None if self.tcp else [],
            limits=guava_http.Limits(**LIMITS, body=BODY, pipelined=1500),
            timeouts=NEVER,
            transport="native" if self.options.transport == "native" else "asyncio",
        )
        await self.server.start()

    async def connect(self, rng: random.Random) -> tuple[socket.socket, Any]:
        small = rng.random() < 0.2
        if self.tcp:
            sock = socket.socket()
            sock.setblocking(False)
            if small:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            address = self.server.sockets[0].getsockname()
            await asyncio.get_running_loop().sock_connect(sock, address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock, sock.getsockname()
        sock, other = socket.socketpair()
        sock.setblocking(False)
        if small:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock.bind("")  # Linux finds a name
        name = os.fsdecode(sock.getsockname())
        await self.server.adopt(other)
        return sock, name

    async def serve_new_client(self) -> None:
        sock, _ = await self.connect(random.Random(1))
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(
            sock, b"GET /json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        data = b""
        async with asyncio.timeout(LONG):
            while part := await loop.sock_recv(sock, 4096):
                data += part
        sock.close()
        if not data.startswith(b"HTTP/1.1 200 OK\r\n") or not data.endswith(b"}"):
            raise Malformed(f"a new client: {data!r}")

    async def settle(self) -> None:
        server = self.server
        async with asyncio.timeout(LONG):
            while server.stats().connections or server.stats().tasks:
                await asyncio.sleep(0)

    async def close_soon(self, n: int) -> None:
        for _ in range(n):
            await asyncio.sleep(0)
        await self.server.close(LONG)

    async def round(self, rng: random.Random, clients: list[Client]) -> None:
        self.application.calls.clear()
        for _ in range(rng.choice([1, 1, 2, 4])):
            sock, name = await self.connect(rng)
            clients.append(Client(sock, name, random.Random(rng.random())))
        closing = rng.random() < 0.04
        refused = self.server.stats().refused
        tasks = [client.script() for client in clients]
        if closing:
            tasks.append(self.close_soon(rng.choice([0, 1, 3, 10, 30])))
        await asyncio.gather(*tasks)
        await self.settle()
        self.judge(clients, closing, self.server.stats().refused - refused)
        if closing:
            await self.start()
        await self.serve_new_client()
        await self.settle()
        self.look_around()

    def judge(self, clients: list[Client], closing: bool, refused: int) -> None:
        refusals = 0
        for client in clients:
            calls = self.application.calls.get(client.name, [])
            refusals += client.judge(calls, closing, self.tcp).refusals
            self.received += len(client.received)
            for call in calls:
                if call.work != (call.name == "background") and not closing:
                    raise Malformed(f"{call}: work was done {call.work} times")
        broken = closing or any(client.broken or client.reset for client in clients)
        if refused < refusals or (refused != refusals and not broken):
            raise Malformed(f"the server counts {refused} refusals, clients {refusals}")
        self.refusals += refusals

    def look_around(self) -> None:
        if self.log.wrong:
            raise Malformed("logged: " + "\n".join(self.log.wrong))
        path = "/proc/self/fd"
        found = len(os.listdir(path)) if os.path.exists(path) else 0
        if self.descriptors is None or self.first_rounds > 0:
            self.descriptors = found
            self.first_rounds -= 1
        if found > self.descriptors + 1:
            raise Malformed(f"{found} descriptors are open, {self.descriptors} were")

    first_rounds = 50  # in which threads and other things come into being

    async def run(self) -> dict[str, int]:
        options = self.options
        end = time.monotonic() + options.seconds
        number = options.first
        gc.collect()
        await self.start()
        while number < options.first + options.rounds and time.monotonic() < end:
            clients: list[Client] = []
            try:
                await self.round(random.Random(f"{options.seed} {number}"), clients)
            except BaseException:
                print(f"seed {options.seed}, round {number}", file=sys.stderr)
                print(*self.log.wrong, file=sys.stderr)
                for client in clients:
                    print("sent:", client.sent[:4000], file=sys.stderr)
                    print("got: ", client.received[:2000], file=sys.stderr)
                    print("called:", self.application.calls.get(client.name), file=sys.stderr)
                raise
            number += 1
        await self.server.close()
        done = {"rounds": number - options.first, "calls": self.application.number}
        return done | {"refusals": self.refusals, "received": self.received}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--first", type=int, default=0, help="the first round's number")
    parser.add_argument("--rounds", type=int, default=2**62)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--transport", choices=TRANSPORTS, default="native")
    # Only Linux names the ends of a pair.
    usual = "pair" if sys.platform == "linux" else "tcp"
    parser.add_argument("--sockets", choices=["pair", "tcp"], default=usual)
    options = parser.parse_args()
    log = Log()
    logging.getLogger().addHandler(log)
    application.make_file()
    try:
        fuzzer = Fuzzer(options, log)
        run = asyncio.run if options.transport == "asyncio" else guava_loop.run
        done = run(fuzzer.run())
    finally:
        os.unlink(application.PATH)
        application.THREADS.shutdown()
    gc.collect()
    if log.wrong:
        print(f"seed {options.seed}, at the end: ", *log.wrong, file=sys.stderr)
        return 1
    print(" ".join(f"{key}={value}" for key, value in done.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
