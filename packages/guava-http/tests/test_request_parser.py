"""RequestParser: bytes in, events out; whole, split anywhere, and misused."""

import doctest
import gc
import pickle
import random
import weakref

import pytest
from guava_http import Data, EndOfMessage, Limits, Request, RequestError, RequestParser
from guava_http import parser as parser_module

GET = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
SIZED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nDigest: z\r\nX: y\r\n\r\n"
)
UPGRADE = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: chess\r\n\r\n"


def read_all(parser, pieces):
    """What came of them, a tuple for each request: (method, url, body, end)."""
    found = []

    def take(events):
        while True:
            for event in events:
                match event:
                    case Request():
                        found.append([event.method, event.url, b"", None])
                    case Data(data):
                        assert data
                        found[-1][2] += data
                    case EndOfMessage():
                        found[-1][3] = event
            if parser.state != "complete" or not parser.request.keep_alive:
                return
            events = parser.next_request()

    for piece in pieces:
        take(parser.feed(piece))
    return found


def cuts(data):
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]


def test_the_events_of_a_request():
    parser = RequestParser()
    assert parser.state == "head"
    request, end = parser.feed(GET)
    assert isinstance(request, Request)
    assert (request.method, request.path, request.GET, request.host) == (
        "GET",
        "/a",
        {"b": "c"},
        "x",
    )
    assert end == EndOfMessage(body_size=0, trailers=0)
    assert parser.state == "complete"
    assert parser.request is request


def test_every_split_gives_the_same():
    data = GET + SIZED + b"\r\n" + CHUNKED + GET
    expected = [
        ["GET", "/a?b=c", b"", EndOfMessage(0, 0)],
        ["POST", "/", b"hello", EndOfMessage(5, 0)],
        ["POST", "/", b"hello", EndOfMessage(5, 2)],
        ["GET", "/a?b=c", b"", EndOfMessage(0, 0)],
    ]
    for pieces in cuts(data):
        parser = RequestParser()
        assert read_all(parser, pieces) == expected
        parser.feed_eof()
        assert (parser.state, parser.pending) == ("closed", 0)


def test_it_pauses_behind_a_message():
    parser = RequestParser()
    assert len(parser.feed(GET + GET + GET[:9])) == 2
    assert parser.feed(GET[9:]) == []
    assert (parser.pending, parser.unused) == (2 * len(GET), GET + GET)
    assert len(parser.next_request()) == 2
    assert len(parser.next_request()) == 2
    assert parser.next_request() == []
    assert (parser.state, parser.pending, parser.request) == ("head", 0, None)


def test_a_request_keeps_its_own_bytes():
    data = bytearray(SIZED)
    request, body, _ = RequestParser().feed(data)
    data[:] = b"x" * len(data)
    gc.collect()
    assert (request.method, request.url, body.data) == ("POST", "/", b"hello")
    assert request.HEADERS["content-length"] == "5"


def test_data_is_not_copied_where_it_comes_alone():
    parser = RequestParser()
    parser.feed(SIZED.removesuffix(b"hello"))
    piece = b"hel"
    [event] = parser.feed(piece)
    assert event.data is piece
    assert [type(e) for e in parser.feed(b"lo")] == [Data, EndOfMessage]


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_whatever_has_bytes(make):
    assert len(RequestParser().feed(make(SIZED))) == 3


@pytest.mark.parametrize("wrong", ["text", None, 5, [b"x"]])
def test_what_has_no_bytes(wrong):
    parser = RequestParser()
    with pytest.raises(TypeError):
        parser.feed(wrong)
    assert len(parser.feed(GET)) == 2


@pytest.mark.parametrize(
    ("data", "status", "seen"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400, None),
        (b"GET / HTTP/3.0\r\n\r\n", 505, None),
        (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501, None),
        (SIZED.replace(b"5", b"99"), 413, None),
        (CHUNKED.replace(b"2\r", b"2x"), 400, "/"),
        (CHUNKED.replace(b"2\r", b"9F\r"), 413, "/"),
    ],
)
def test_it_stays_refused(data, status, seen):
    for pieces in cuts(data):
        parser = RequestParser(Limits(body=50))
        assert parser.error is None
        with pytest.raises(RequestError) as first:
            read_all(parser, pieces)
        assert first.value.status == status
        assert (parser.state, parser.pending, parser.error.status) == ("refused", 0, status)
        assert (parser.request and parser.request.path) == seen
        for call in (lambda p=parser: p.feed(GET), parser.next_request, parser.feed_eof):
            with pytest.raises(RequestError) as again:
                call()
            assert (again.value.status, str(again.value)) == (status, str(first.value))


@pytest.mark.parametrize("data", [GET, SIZED, CHUNKED])
def test_the_end_in_the_middle(data):
    for n in range(1, len(data)):
        parser = RequestParser()
        parser.feed(data[:n])
        with pytest.raises(RequestError) as error:
            parser.feed_eof()
        assert error.value.status == 400


def test_the_end_between_two():
    for data in (b"", b"\r\n"):
        parser = RequestParser()
        parser.feed(data)
        parser.feed_eof()
        assert parser.state == "closed"
        parser.feed_eof()
        with pytest.raises(RuntimeError):
            parser.feed(GET)


def test_the_end_behind_what_waits():
    parser = RequestParser()
    parser.feed(GET + GET + GET[:5])
    parser.feed_eof()
    assert parser.state == "complete"
    assert len(parser.next_request()) == 2
    with pytest.raises(RequestError):
        parser.next_request()


def test_no_request_behind_the_last():
    parser = RequestParser()
    parser.feed(GET.replace(b"Host", b"Connection: close\r\nHost") + GET)
    assert parser.request.keep_alive is False
    with pytest.raises(RuntimeError):
        parser.next_request()


def test_another_protocol_takes_over():
    for n in range(len(UPGRADE) + 4):
        parser = RequestParser()
        data = UPGRADE + b"e2e4"
        parser.feed(data[:n])
        parser.feed(data[n:])
        assert parser.take_over() == b"e2e4"
        assert (parser.state, parser.pending) == ("taken over", 0)
        for call in (lambda p=parser: p.feed(b""), parser.next_request, parser.take_over):
            with pytest.raises(RuntimeError):
                call()


def test_nothing_takes_over_in_between():
    parser = RequestParser()
    parser.feed(SIZED[:-1])
    for call in (parser.take_over, parser.next_request):
        with pytest.raises(RuntimeError):
            call()
    assert parser.state == "body"


def test_a_client_that_waits_for_100_continue():
    parser = RequestParser()
    expecting = SIZED.replace(b"Host", b"Expect: 100-continue\r\nHost")
    parser.feed(expecting[:-5])
    assert parser.awaits_continue
    parser.feed(b"h")
    assert not parser.awaits_continue
    parser = RequestParser()
    parser.feed(GET.replace(b"Host", b"Expect: 100-continue\r\nHost"))
    assert not parser.awaits_continue


def test_limits():
    assert len(RequestParser(limits=Limits(target=6)).feed(GET)) == 2
    for limits, status in [
        (Limits(target=5), 414),
        (Limits(fields=1), 431),
        (Limits(body=4), 413),
        (Limits(trailers=3), 400),
        (Limits(chunk_extensions=3), 400),
    ]:
        data = GET if status == 414 else CHUNKED
        with pytest.raises(RequestError) as error:
            RequestParser(limits).feed(data)
        assert error.value.status == status
    with pytest.raises(TypeError, match=r"limits must be a guava_http\.Limits or None, not int"):
        RequestParser(5)


def test_events_are_values():
    assert pickle.loads(pickle.dumps(Data(b"x"))) == Data(b"x") == (b"x",)
    assert repr(EndOfMessage(1, 2)) == "EndOfMessage(body_size=1, trailers=2)"


def test_the_documentation_is_true():
    assert doctest.testmod(parser_module).failed == 0
    assert doctest.testmod(parser_module).attempted > 5


def test_a_parser_in_a_cycle_goes():
    class Note:
        pass

    note = Note()
    parser = RequestParser()
    [request, _] = parser.feed(GET)
    request.note, note.parser = note, parser
    gone = weakref.ref(note)
    del note, request, parser
    gc.collect()
    assert gone() is None


def test_noise_never_breaks_it():
    source = random.Random(4)
    seeds = [GET, SIZED, CHUNKED, UPGRADE]
    for _ in range(3000):
        data = bytearray(b"".join(source.choices(seeds, k=3)))
        for _ in range(source.randrange(4)):
            at = source.randrange(len(data))
            data[at : at + source.randrange(3)] = source.choice(
                [
                    b"",
                    b"\r",
                    b"\n",
                    b"\0",
                    b":",
                    b" ",
                    b"0",
                    b"\r\n",
                    bytes([source.randrange(256)]),
                ]
            )
        outcomes = []
        for step in (len(data), 1, source.randrange(1, 40)):
            parser = RequestParser()
            pieces = [bytes(data[i : i + step]) for i in range(0, len(data), step)]
            try:
                outcomes.append((read_all(parser, pieces), parser.state, parser.pending))
            except RequestError as error:
                outcomes.append(("refused", error.status, str(error)))
        assert outcomes[0] == outcomes[1] == outcomes[2], bytes(data)
