"""What is measured: every row, with the server or the function that it needs."""

from dataclasses import dataclass, field

KIB = 1024
GOAL = 1.2
"""Times uvloop's speed, on every row."""


@dataclass(frozen=True)
class Row:
    key: str
    """The name on the command line, and in reasons.toml."""
    group: str
    title: str
    unit: str = "messages/s"
    function: str = ""
    """A row of inside.py, or ..."""
    serve: tuple[str, ...] = ()
    """... the app and options of serve.py, ..."""
    load: tuple[str, ...] = ()
    """... with the mode and options of the load."""
    idle: int = 0
    """Connections that are open meanwhile and say nothing."""
    memory: bool = False
    """Measured is what an idle connection takes: bytes, the fewer the better."""
    scale: float = 1.0
    """Units in a message."""
    tls: bool = field(default=False)
    needs: str = ""
    """The method of the loop without which there is no row."""


def inside(group: str, *rows: tuple[str, ...]) -> list[Row]:
    """Rows of inside.py: function, title and perhaps the unit and a method of the loop."""
    return [
        Row(
            key=one[0].replace("_", "-"),
            group=group,
            title=one[1],
            unit=one[2] if len(one) > 2 else "calls/s",
            function=one[0],
        )
        for one in rows
    ]


def echo(
    name: str, group: str, serve: tuple[str, ...], sizes: tuple[int, ...], *wire: str
) -> list[Row]:
    """An echo at each size, with one and with 32 connections."""
    return [
        Row(
            key=f"{name}-{size}k-x{connections}",
            group=group,
            title=f"{size} KiB, {connections} connection{'s' if connections > 1 else ''}",
            serve=serve,
            load=(
                "talk",
                *("--connections", str(connections), "--request", str(size * KIB)),
                *wire,
            ),
            tls="tls" in name,
        )
        for size in sizes
        for connections in (1, 32)
    ]


SIZES = (1, 10, 100)
UNIX, UDP = ("--wire", "unix"), ("--wire", "udp")

ROWS: list[Row] = [
    *inside(
        "Callbacks",
        ("call_soon", "call_soon, one a turn"),
        ("call_soon_many", "call_soon, 1000 a turn"),
        ("call_soon_threadsafe", "call_soon_threadsafe, own thread"),
        ("call_soon_from_thread", "call_soon_threadsafe, bursts of 100 from a thread"),
        ("wake_from_thread", "call_soon_threadsafe, a sleeping loop", "wake-ups/s"),
        ("signals", "add_signal_handler, kill to handler", "signals/s"),
        ("executor", "run_in_executor"),
    ),
    *inside(
        "Timers",
        ("call_later_cancel", "call_later + cancel", "timers/s"),
        ("call_later_cancel_pending", "the same, beside 10 000 timers", "timers/s"),
        ("call_later_fire", "call_at, and all fire", "timers/s"),
    ),
    *inside(
        "Tasks",
        ("sleep_0", "sleep(0)"),
        ("task", "create_task + await", "tasks/s"),
        ("gather", "gather of 100", "tasks/s"),
        ("future", "create_future + await", "futures/s"),
        ("timeout", "asyncio.timeout()", "blocks/s"),
        ("queues", "two tasks, two queues", "turns/s"),
    ),
    *echo("protocol", "TCP echo, Protocol", ("protocol",), SIZES),
    *echo("buffered", "TCP echo, BufferedProtocol", ("buffered",), SIZES),
    *echo("streams", "TCP echo, streams", ("streams",), SIZES),
    *echo("sockets", "TCP echo, sock_recv and sock_sendall", ("sockets",), SIZES),
    *echo("unix", "Unix socket echo, Protocol", ("protocol", *UNIX), SIZES, *UNIX),
    *echo("udp", "UDP echo", ("datagrams", *UDP), (1, 10), *UDP),
    *echo("tls", "TLS echo, Protocol", ("protocol",), SIZES, "--tls"),
    Row(
        key="tls-streams-10k-x32",
        group="TLS echo, Protocol",
        title="10 KiB, 32 connections, streams",
        serve=("streams",),
        load=("talk", "--connections", "32", "--request", str(10 * KIB), "--tls"),
        tls=True,
    ),
    Row(
        key="handshake-full",
        group="Connections",
        title="TLS 1.3 handshake, full",
        unit="connections/s",
        serve=("protocol",),
        load=("connect", "--connections", "8", "--request", "64", "--tls"),
        tls=True,
    ),
    Row(
        key="handshake-resumed",
        group="Connections",
        title="TLS 1.3 handshake, resumed",
        unit="connections/s",
        serve=("protocol",),
        load=("connect", "--connections", "8", "--request", "64", "--tls", "--resume"),
        tls=True,
    ),
    Row(
        key="accept",
        group="Connections",
        title="TCP: accept, echo 1 KiB, close",
        unit="connections/s",
        serve=("protocol",),
        load=("connect", "--connections", "8"),
    ),
    Row(
        key="accept-streams",
        group="Connections",
        title="the same, streams",
        unit="connections/s",
        serve=("streams",),
        load=("connect", "--connections", "8"),
    ),
    *inside(
        "Connections",
        ("connect", "create_connection + close, both ends", "connections/s"),
    ),
    Row(
        key="idle-memory",
        group="Connections",
        title="memory of an idle connection, of 10 000",
        unit="bytes",
        serve=("protocol",),
        idle=10_000,
        memory=True,
    ),
    Row(
        key="idle-echo",
        group="Connections",
        title="echo 1 KiB, 1 connection, beside 10 000 idle",
        serve=("protocol",),
        load=("talk",),
        idle=10_000,
    ),
    Row(
        key="receive",
        group="Streams of bytes",
        title="receive 64 KiB pieces, Protocol",
        unit="MiB/s",
        serve=("sink",),
        load=("pour", "--request", str(64 * KIB)),
        scale=1 / 16,
    ),
    Row(
        key="send",
        group="Streams of bytes",
        title="send 64 KiB pieces, Protocol, flow control",
        unit="MiB/s",
        serve=("source",),
        load=("drain", "--request", str(64 * KIB)),
        scale=1 / 16,
    ),
    Row(
        key="sendfile",
        group="Streams of bytes",
        title="loop.sendfile() of 1 MiB",
        unit="MiB/s",
        serve=("file",),
        load=("talk", "--request", "64", "--answer", str(KIB * KIB)),
        needs="sendfile",
    ),
    *inside(
        "Both ends in one process",
        ("both_ends", "Protocol, 1 KiB over a socket pair", "messages/s"),
        ("socketpair", "sock_sendall + sock_recv, 1 KiB", "messages/s"),
        ("add_reader", "add_reader, readable, remove_reader"),
    ),
    *inside(
        "Subprocesses",
        ("cat_1k", "1 KiB through cat", "messages/s"),
        ("cat_64k", "64 KiB through cat", "messages/s"),
        ("capture", "64 KiB pieces of a child's output", "pieces/s"),
        ("spawn", "create_subprocess_exec + wait", "processes/s"),
    ),
]

QUICK = {
    *("call-soon", "call-later-cancel", "sleep-0", "task", "call-soon-threadsafe"),
    *("protocol-1k-x1", "protocol-1k-x32", "protocol-100k-x32", "buffered-10k-x32"),
    *("streams-1k-x1", "streams-10k-x32", "sockets-1k-x1", "unix-1k-x32", "udp-1k-x32"),
    *("tls-1k-x32", "tls-100k-x32", "handshake-full", "accept", "idle-memory", "cat-1k"),
}
"""The rows of a try."""
