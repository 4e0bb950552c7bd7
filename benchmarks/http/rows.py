"""What is measured: every row, with the bytes that go out and the answer that must come back."""

import fnmatch
import json
from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB

HELLO = b"Hello, world!"
OBJECT = {
    "id": 4711,
    "name": "Psidium guajava",
    "tags": ["fruit", "tropical", "green"],
    "price": 3.5,
    "stock": {"cellar": 120, "shop": 17},
    "sold": False,
}
"""What the row "json" answers, made into JSON for each request."""
FORM = {
    "name": "Psidium guajava",
    "email": "someone@example.com",
    "subject": "about fruit",
    "message": "How many do I need for a pie? And where do I find them in winter?",
    "newsletter": "on",
}
BOUNDARY = "----guava0123456789"
PIECE = b"x" * 1023 + b"\n"
PIECES = 64
"""The row "stream": as many pieces, given by a generator."""
SUNK = 16 * MIB
"""The body of the row "sink"; more than any of the servers holds in memory by itself."""

BROWSER = (
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"\r\n'
    "sec-ch-ua-mobile: ?0\r\n"
    'sec-ch-ua-platform: "Linux"\r\n'
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    "\r\n"
    "Sec-Fetch-Site: none\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-User: ?1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\n"
    f"Cookie: theme=dark; sid={'0123456789abcdef' * 5}\r\n"
)
"""With the request line and the host, the 703 bytes that a browser sends for "/"."""


def multipart() -> bytes:
    """Two fields and a file of 10 KiB."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{FORM[name]}\r\n'
        for name in ("name", "email")
    ]
    file = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="picture"; filename="guava.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    end = f"\r\n--{BOUNDARY}--\r\n"
    return "".join(parts).encode() + file.encode() + b"p" * 10 * KIB + end.encode()


def urlencoded() -> bytes:
    from urllib.parse import urlencode

    return urlencode(FORM).encode()


@dataclass(frozen=True)
class Goal:
    """One of ours must not be above (or below) so many times a peer's figure."""

    ours: str
    figure: str
    """"cpu" or "rate"."""
    peer: str
    times: float

    def text(self) -> str:
        word = "CPU, at most" if self.figure == "cpu" else "requests/s, at least"
        return f"{self.ours}: {word} {self.times:g} x {self.peer}'s"


@dataclass(frozen=True)
class Row:
    key: str
    """The name on the command line, and in reasons.toml."""
    title: str
    app: str
    """Which of its servers a contestant starts."""
    answer: bytes
    """The body that must come back; of JSON, what it means."""
    path: str = ""
    """Else "/" and the app's name."""
    fields: str = ""
    """Header fields, each with its end of line."""
    body: bytes | None = None
    """Sent with POST."""
    connections: int = 64
    depth: int = 1
    """Requests in one write."""
    size: int = 0
    """Bytes of payload in a request or an answer, where they matter: the table shows MiB/s."""
    parts: bool = False
    """Parts of answers count too: few of these large ones end within a second."""
    idle: int = 0
    """Connections that are open meanwhile and say nothing; then the load is not as many requests
    as can be, but `rate`."""
    rate: int = 0
    only: tuple[str, ...] = ()
    """The contestants, where not all take part."""
    goals: tuple[Goal, ...] = ()

    def request(self) -> bytes:
        """One request."""
        line = "GET" if self.body is None else "POST"
        path = self.path or f"/{self.app}"
        host = "127.0.0.1:8000" if self.fields.startswith("Connection") else "127.0.0.1"
        head = f"{line} {path} HTTP/1.1\r\nHost: {host}\r\n{self.fields}"
        if self.body is None:
            return f"{head}\r\n".encode()
        return f"{head}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body

    def right(self, body: bytes) -> bool:
        """Whether an answer's body is the right one."""
        if self.app == "json":
            try:
                return bool(json.loads(body) == OBJECT)
            except ValueError:
                return False
        return body == self.answer


OURS = ("guava-def", "guava-async", "guava-mvc")
LIGHT = (*OURS, "bjoern", "freastal", "fastwsgi", "socketify", "granian", "uvicorn", "node", "go")
"""Those that take part everywhere; the slower ones would only make a run longer."""
STATIC = (
    *("nginx", "nginx-cache", "guava-def", "guava-async", "granian", "aiohttp", "node", "go"),
)
CPU = (Goal("guava-def", "cpu", "limit", 1.15), Goal("guava-async", "cpu", "limit", 1.2))
PIPELINED = (Goal("guava-def", "rate", "limit", 0.6), Goal("guava-async", "rate", "limit", 0.6))
FILES = (Goal("guava-def", "cpu", "nginx", 1.3),)

ROWS = [
    Row("hello", "hello, 64 connections", "hello", HELLO, path="/", goals=CPU),
    Row("hello-400", "hello, 400 connections", "hello", HELLO, path="/", connections=400,
        only=("limit", *LIGHT), goals=CPU),
    Row("hello-pipelined", "hello, 64 connections, 16 requests in a write", "hello", HELLO,
        path="/", depth=16, only=("limit", *LIGHT), goals=PIPELINED),
    Row("browser", "hello, a browser's headers (703 bytes)", "hello", HELLO, path="/",
        fields=BROWSER, only=("limit", *LIGHT), goals=CPU),
    Row("json", "JSON, made for each request", "json", json.dumps(OBJECT).encode()),
    Row("form", "a form of five fields", "form", FORM["name"].encode(), body=urlencoded(),
        fields="Content-Type: application/x-www-form-urlencoded\r\n"),
    Row("multipart", "a form with a file of 10 KiB", "multipart",
        f"{FORM['name']} {10 * KIB}".encode(), body=multipart(),
        fields=f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n",
        only=("limit", *LIGHT, "aiohttp", "tornado")),
    Row("body-10k", "an answer of 10 KiB", "body-10k", b"x" * 10 * KIB, size=10 * KIB),
    Row("body-1m", "an answer of 1 MiB", "body-1m", b"x" * MIB, size=MIB, connections=16,
        parts=True, only=("limit", *LIGHT, "aiohttp")),
    Row("upload-64k", "a body of 64 KiB, received whole", "upload", str(64 * KIB).encode(),
        body=b"u" * 64 * KIB, size=64 * KIB, connections=16,
        only=("limit", *LIGHT, "aiohttp")),
    Row("upload-1m", "a body of 1 MiB, received whole", "upload", str(MIB).encode(),
        body=b"u" * MIB, size=MIB, connections=16, only=("limit", *LIGHT, "aiohttp")),
    Row("sink", "a body of 16 MiB, read as it comes", "sink", str(SUNK).encode(),
        body=b"u" * SUNK, size=SUNK, connections=4, only=("limit", *LIGHT, "aiohttp")),
    Row("stream", "an answer in 64 pieces of 1 KiB", "stream", PIECE * PIECES,
        size=len(PIECE) * PIECES, connections=16, only=(*LIGHT, "aiohttp")),
    Row("static-1k", "a file of 1 KiB", "static", b"f" * KIB, path="/1k.bin", size=KIB,
        only=STATIC, goals=FILES),
    Row("static-100k", "a file of 100 KiB", "static", b"f" * 100 * KIB, path="/100k.bin",
        size=100 * KIB, only=STATIC, goals=FILES),
    Row("static-100m", "a file of 100 MiB", "static", b"f" * 100 * MIB, path="/100m.bin",
        size=100 * MIB, connections=4, parts=True, only=STATIC, goals=FILES),
    Row("idle", "200 requests/s beside 10 000 idle connections", "hello", HELLO, path="/",
        idle=10_000, rate=200, only=("limit", *LIGHT)),
]  # fmt: skip

GROUPS = {
    "Hello": "hello* browser",
    "Bodies": "json form multipart body-* stream",
    "Uploads": "upload-* sink",
    "Files": "static-*",
    "Idle connections": "idle",
}


def group(row: Row) -> str:
    """The heading that a row stands under."""
    for name, patterns in GROUPS.items():
        if any(fnmatch.fnmatch(row.key, pattern) for pattern in patterns.split()):
            return name
    raise KeyError(row.key)
