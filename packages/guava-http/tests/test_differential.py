"""The same bytes through RequestParser, llhttp (httptools) and h11: what both of them refuse is
never taken, and what all three take they take for the same.

The inputs are the corpus, mutated: the same ones in every run. GUAVA_DIFFERENTIAL=1000000 in the
environment asks for that many, GUAVA_DIFFERENTIAL_SEED=n for others. Run with -s to see how often
each class of what only we refuse came.
"""

import os
import random
import re
import runpy
from collections import Counter
from pathlib import Path

import pytest
from guava_http import Data, EndOfMessage, Request, RequestError, RequestParser

httptools = pytest.importorskip("httptools", reason="llhttp comes in httptools")
h11 = pytest.importorskip("h11", reason="one of the two that we are compared with")

COUNT = int(os.environ.get("GUAVA_DIFFERENTIAL", "4000"))
SEED = int(os.environ.get("GUAVA_DIFFERENTIAL_SEED", "1"))

_corpus = runpy.run_path(str(Path(__file__).parent / "corpus" / "corpus.py"))
SEEDS = [
    case.data + _corpus["SECOND"] for case in _corpus["read_corpus"]() if len(case.data) < 600
]

# What only we refuse, by what we say of it, and why the others' answer is not ours.
STRICTER = {
    "The request target is malformed.": "llhttp and h11 take any visible bytes: bad escapes, "
    "fragments, other schemes, users, the asterisk with any method (RFC 9112, 3.2)",
    "Exactly one valid Host field is needed.": "llhttp does not look at Host, h11 only counts: "
    "what is in it decides which site answers (RFC 9110, 7.2)",
    "The method is not implemented.": "CONNECT and methods that are of no use to an origin server "
    "(RFC 9110, 9.1)",
    "The only expectation that is met is 100-continue.": "the others leave it to the application "
    "(RFC 9110, 10.1.1)",
    "A TRACE request has no body.": "the others leave it to the application (RFC 9110, 9.3.8)",
    "Where the body ends is ambiguous.": "the same length twice, or framing fields in the "
    "trailers, where the others drop or merge them (RFC 9112, 6.3; RFC 9110, 6.5.1)",
    "The chunked body is malformed.": "white space behind a size without an extension, or bytes "
    "in an extension, that h11 skips unread (RFC 9112, 7.1.1)",
    "This server speaks HTTP/1.1 and HTTP/1.0.": "h11 takes what begins with 1, llhttp 0.9 and "
    "2.0 too (RFC 9110, 15.6.6)",
    "The request line is malformed.": "more empty lines in front than one (RFC 9112, 2.2)",
    "The body is larger than this server takes.": "a limit",
}

# What only we take, because the RFC says that it must be taken: what the others are shown instead.
KINDER = [
    # "BWS": who receives it must parse it (RFC 9112, 7.1.1; RFC 9110, 5.6.3).
    (re.compile(rb"(?m)^([0-9A-Fa-f]+)[ \t]*;[\t\x20-\x7e\x80-\xff]*\r\n"), rb"\1\r\n"),
    # White space behind a value is not of it (RFC 9112, 5.1); llhttp takes no tab behind lengths
    # and codings.
    (re.compile(rb"[ \t]+\r\n"), rb"\r\n"),
]


def kinder(data):
    for pattern, plain in KINDER:
        data = pattern.sub(plain, data)
    return data


class Refused(Exception):
    pass


# ---- three readers -----------------------------------------------------------------------------
# Each gives the requests that are complete, and how it ended: "more" (it waits), "refused", or
# "stopped", when it has no opinion on what follows.


def read_ours(data):
    found = []
    parser = RequestParser()
    body = b""
    try:
        events = parser.feed(data)
        while True:
            for event in events:
                match event:
                    case Data(data):
                        body += data
                    case EndOfMessage():
                        request = parser.request
                        found.append((request.method, request.url, body))
                        body = b""
                    case Request():
                        pass
            if parser.state != "complete":
                return found, "more", ""
            if not parser.request.keep_alive:
                return found, "stopped", ""
            events = parser.next_request()
    except RequestError as error:
        return found, "refused", str(error)


class LlhttpReader:
    def __init__(self):
        self.parser = httptools.HttpRequestParser(self)
        self.found = []
        self.url = self.body = b""
        self.last = False

    def on_message_begin(self):
        if self.last:
            raise Refused
        self.url = self.body = b""

    def on_url(self, url):
        self.url += url

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        method = self.parser.get_method().decode()
        self.found.append((method, self.url.decode("latin-1"), self.body))
        self.last = not self.parser.should_keep_alive()


def read_llhttp(data):
    reader = LlhttpReader()
    try:
        reader.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        return reader.found, "stopped"
    except httptools.HttpParserError:
        return reader.found, "stopped" if reader.last else "refused"
    return reader.found, "stopped" if reader.last else "more"


def read_one(data):
    """A request of h11's, how it ended, and the rest. One empty line in front is dropped, which
    h11 would refuse: a server should ignore it (RFC 9112, 2.2)."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    body = b""
    request = None
    try:
        connection.receive_data(data.removeprefix(b"\r\n"))
        while True:
            match connection.next_event():
                case h11.Request() as request:
                    pass
                case h11.Data(data=piece):
                    body += bytes(piece)
                case h11.EndOfMessage():
                    break
                case _:
                    return None, "more", b""
    except h11.RemoteProtocolError:
        return None, "refused", b""
    found = (request.method.decode(), request.target.decode("latin-1"), body)
    if request.method == b"CONNECT":
        return found, "stopped", b""
    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    ended = "more" if connection.our_state is h11.DONE else "stopped"
    return found, ended, connection.trailing_data[0]


def read_h11(data):
    found = []
    while True:
        request, ended, data = read_one(data)
        if request is not None:
            found.append(request)
        if request is None or ended == "stopped" or not data:
            return found, ended


# ---- mutations --------------------------------------------------------------------------------

PIECES = [
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"0",
    b"5",
    b"\0",
    b"\x7f",
    b"\xff",
]
PIECES += [
    b"a",
    b"%",
    b"#",
    b"*",
    b"/",
    b"\r\n ",
    b"chunked",
    b"Content-Length: 5\r\n",
    b"HTTP/1.1",
]
PIECES += [
    b"Transfer-Encoding: chunked\r\n",
    b"Host: a\r\n",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"_",
    b"-",
]


def mutate(source):
    data = bytearray(source.choice(SEEDS))
    for _ in range(source.choice([0, 1, 1, 1, 2, 3])):
        at = source.randrange(len(data))
        match source.randrange(6):
            case 0:
                del data[at : at + source.choice([1, 1, 2, 5])]
            case 1:
                data[at:at] = source.choice(PIECES)
            case 2:
                data[at : at + 1] = source.choice(PIECES)
            case 3:
                data[at] = source.randrange(256)
            case 4:
                lines = bytes(data).split(b"\r\n")
                i = source.randrange(len(lines))
                lines.insert(source.randrange(len(lines)), lines[i])
                data = bytearray(b"\r\n".join(lines))
            case _:
                other = source.choice(SEEDS)
                data = data[:at] + other[source.randrange(len(other)) :]
        data = data or bytearray(b"\r\n")
    return bytes(data)


def takes(reading, i):
    """Whether the i-th request was taken, or what came before it was the last."""
    found, ended = reading
    return len(found) > i or ended == "stopped"


def test_what_others_refuse_is_not_taken():
    source = random.Random(SEED)
    classes = Counter()
    taken = 0
    for _ in range(COUNT):
        data = mutate(source)
        ours, ended, why = read_ours(data)
        llhttp, others_h11 = read_llhttp(data), read_h11(data)
        if len(ours) > max(len(llhttp[0]), len(others_h11[0])) and kinder(data) != data:
            llhttp, others_h11 = read_llhttp(kinder(data)), read_h11(kinder(data))
        for i, request in enumerate(ours):
            assert takes(llhttp, i) or takes(others_h11, i), (data, request)
            both = [reading[0][i] for reading in (llhttp, others_h11) if len(reading[0]) > i]
            if len(both) == 2 and both[0] == both[1]:
                assert request == both[0], data
            taken += 1
        i = len(ours)
        if ended == "refused" and len(llhttp[0]) > i and len(others_h11[0]) > i:
            classes[why] += 1
            assert why in STRICTER, (why, data)
    print(*(f"{n:6} {why}" for why, n in classes.most_common()), sep="\n")
    assert taken > COUNT // 10
    assert classes
