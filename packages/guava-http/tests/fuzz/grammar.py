"""What clients send: requests out of a grammar and out of the corpus, mutated or not."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from corpus.corpus import HERE as CORPUS
from corpus.corpus import read_file

MOST_SEED = 3000  # bytes
SEEDS = [case.data for path in sorted(CORPUS.glob("*.toml")) for case in read_file(path)]
SEEDS = [data for data in SEEDS if len(data) < MOST_SEED]
FIELDS = """
Connection: close|Connection: keep-alive|Cookie: a=b; c=d|X: y|Accept: */*|X:
Expect: 100-continue|Upgrade: h2c|Upgrade: echo|Connection: Upgrade|TE: trailers
Range: bytes=0-9,-3|Range: bytes=9-|Range: bytes=500-1,5|Range: bytes=0-0,300-400,-1
If-None-Match: "a", *|If-Range: W/"x"|If-Match: *|If-Match: "b"
If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT|Accept-Encoding: gzip, br;q=0.5
If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT|Host: b|Content-Length: 3
"""
USUAL = [field.encode() for line in FIELDS.split("\n") for field in line.split("|") if field]
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\nContent-Disposition: '
    b'form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n'
)
BODIES = [
    (b"application/x-www-form-urlencoded", b"a=b&c=%41&a=2"),
    (b"multipart/form-data; boundary=b", MULTIPART),
    (b"multipart/form-data; boundary=b", MULTIPART[:-9]),
    (b"application/json", b'{"a": [1]}'),
    (b"text/plain", b"x" * 1500),
    (b"text/plain", b"x" * 3000),
    (b"text/plain", b"GET /text HTTP/1.1\r\nHost: a\r\n\r\n"),
    (b"text/plain", b""),
]
ODD = [b"\r\n", *(bytes([byte]) for byte in b"\n\r\0 \t:;0\xff%,-9")]
METHODS = b"GET GET GET GET GET HEAD HEAD POST POST PUT PUT DELETE OPTIONS TRACE".split()


def chunked(rng: random.Random, body: bytes) -> bytes:
    made = []
    while body:
        n = rng.choice([1, 5, 100, 1000])
        extension = rng.choice([b"", b"", b"", b";a=b", b' ; a="b c"'])
        made.append(b"%x%b\r\n%b\r\n" % (len(body[:n]), extension, body[:n]))
        body = body[n:]
    trailer = rng.choice([b"", b"", b"X-Sum: 5\r\n", b"Content-Length: 5\r\n"])
    return b"".join([*made, b"0\r\n", trailer, b"\r\n"])


def request_of(rng: random.Random, names: Sequence[str]) -> bytes:
    name = rng.choice(names).encode()
    method = rng.choice(METHODS)
    target = b"/" + name + rng.choice([b"", b"?a=b&c=%41", b"/x/y"])
    fields = [b"Host: a", *rng.choices(USUAL, k=rng.choice([0, 0, 1, 2, 4]))]
    body = b""
    if method in (b"POST", b"PUT") or rng.random() < 0.1:
        kind, body = rng.choice(BODIES)
        fields.append(b"Content-Type: " + kind)
        if rng.random() < 0.5:
            fields.append(b"Transfer-Encoding: chunked")
            body = chunked(rng, body)
        else:
            fields.append(b"Content-Length: %d" % len(body))
    version = rng.choice([b"1.1"] * 8 + [b"1.0"])
    head = b"%b %b HTTP/%b\r\n%b\r\n\r\n" % (method, target, version, b"\r\n".join(fields))
    return head + body


def mutated(
    rng: random.Random, data: bytes, times: Sequence[int] = (0, 0, 0, 1, 1, 2, 5)
) -> bytes:
    for _ in range(rng.choice(times)):
        at = rng.randrange(len(data) + 1)
        n = rng.choice([1, 1, 2, 5, 30])
        data = rng.choice(
            [
                data[:at] + rng.choice(ODD) + data[at:],
                data[:at] + rng.choice(ODD) + data[at + n :],
                data[:at] + data[at + n :],
                data[:at] + data[at : at + n] * rng.choice([2, 2, 20, 300]) + data[at + n :],
                data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :],
            ]
        )[:20_000]
    return data


def bytes_of(rng: random.Random, names: Sequence[str]) -> bytes:
    parts = []
    for _ in range(rng.choice([1, 1, 1, 2, 3, 12])):
        data = rng.choice(SEEDS) if rng.random() < 0.25 else request_of(rng, names)
        parts.append(mutated(rng, data) if rng.random() < 0.6 else data)
    return b"".join(parts)
