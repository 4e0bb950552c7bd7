"""The corpus, through RequestParser and through the server: nothing that must be refused is taken,
all that must be taken is, and never does it matter how the bytes arrive."""

import asyncio
import re
import runpy
from collections import Counter
from pathlib import Path

import guava_loop
import pytest
from guava_http import Data, EndOfMessage, Request, RequestError, RequestParser, Server

_corpus = runpy.run_path(str(Path(__file__).parent / "corpus" / "corpus.py"))
CASES = _corpus["read_corpus"]()
SECOND = _corpus["SECOND"]
SPLIT_ALL = 1500  # bytes: longer ones are long to reach a limit, and split near their ends only


def show(case):
    return case.name


# ---- without a connection ----------------------------------------------------------------------


def read(pieces):
    """(requests, status of the refusal or None); a request: (method, target, host, fields, body)
    or, when it is not complete, None for its body."""
    parser = RequestParser()
    found = []
    body = b""
    try:
        for piece in pieces:
            if parser.state == "complete" and not parser.request.keep_alive:
                break
            events = parser.feed(piece)
            while events:
                for event in events:
                    match event:
                        case Request():
                            fields = tuple(event.HEADERS.multi_items())
                            found.append((event.method, event.url, event.host, fields, None))
                            body = b""
                        case Data(data):
                            body += data
                        case EndOfMessage(body_size=size):
                            assert size == len(body)
                            found[-1] = (*found[-1][:-1], body)
                events = []
                if parser.state == "complete" and parser.request.keep_alive:
                    events = parser.next_request()
    except RequestError as error:
        return [one for one in found if one[-1] is not None], error.status
    return found, None


def cuts(data):
    yield [data[i : i + 1] for i in range(len(data))]
    near = range(1, len(data))
    if len(data) > SPLIT_ALL:
        near = [*range(1, 100), *range(len(data) - 200, len(data))]
    for i in near:
        yield [data[:i], data[i:]]


@pytest.mark.parametrize("case", CASES, ids=show)
def test_parser(case):
    data = case.data + SECOND
    whole = read([data])
    judge(case, *whole)
    for pieces in cuts(data):
        assert read(pieces) == whole, pieces[0]


def judge(case, requests, status):
    if case.label == "reject":
        assert status in case.status
        assert len(requests) == case.before
        return
    if case.label == "free":
        return
    assert status is None or (case.before and status in case.status)
    method, target, host, fields, body = requests[0]
    sees = case.sees
    assert (method.encode(), target.encode(), body) == (
        sees["method"],
        sees["target"],
        sees["body"],
    )
    assert "host" not in sees or host.encode() == sees["host"]
    sent = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    assert not Counter(sees["fields"]) - Counter(sent)
    if not case.before and len(requests) > 1:
        assert requests[1][:3] == ("GET", "/second", "b")
    assert len(requests) == (1 if case.before or is_last(fields, case) else 2)


def is_last(fields, case):
    said = ",".join(value for name, value in fields if name.lower() == "connection").lower()
    tokens = {token.strip() for token in said.split(",")}
    old = b" HTTP/1.0\r\n" in case.data
    return "close" in tokens or (old and "keep-alive" not in tokens)


def test_there_are_enough():
    labels = Counter(case.label for case in CASES)
    assert labels["reject"] >= 200 and labels["accept"] >= 60
    assert len({case.name for case in CASES}) == len(CASES) >= 285
    assert all(case.rfc for case in CASES)


# ---- through the server ------------------------------------------------------------------------


def answer(request):
    return f"{request.method} {request.url} {request.body!r}"


async def exchange(address, pieces):
    """The final answers' statuses and bodies, up to the end of the connection."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        writer.write_eof()
        received = await reader.read()
    except ConnectionError:
        received = b""
    finally:
        writer.close()
    return received


def statuses(received):
    """Of final answers. A body has no line end behind it, so the next begins in its last line."""
    found = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]
    return [status for status in found if status >= 200]


def check_answers(case, seen, received):
    found = statuses(received)
    if case.label == "reject":
        assert found[: case.before] == [200] * case.before, case.name
        assert len(found) == case.before + 1 and found[-1] in case.status, case.name
        assert len(seen) == case.before, case.name
    elif case.label == "accept" and case.sees["method"] == b"TRACE":
        assert (found, seen) == ([405], []), case.name  # read, and not answered
    elif case.label == "accept":
        assert found[0] == 200, case.name
        method, url, body = seen[0]
        assert (method.encode(), url.encode(), body) == (
            case.sees["method"],
            case.sees["target"],
            case.sees["body"],
        ), case.name
        assert len(found) == len(seen) + (1 if case.before else 0), case.name
        assert all(one[1] == "/second" for one in seen[1:]), case.name
    else:
        assert len(found) >= len(seen), case.name


def test_server():
    seen = []

    def handler(request):
        seen.append((request.method, request.url, bytes(request.body)))
        return "taken"

    async def main():
        async with Server(handler, port=0) as server:
            address = ("127.0.0.1", server.port)
            for case in CASES:
                data = case.data + SECOND
                results = []
                for pieces in (
                    [data],
                    [data[: len(data) // 2], data[len(data) // 2 :]],
                    [data[: len(case.data) - 1], data[len(case.data) - 1 :]],
                ):
                    seen.clear()
                    async with asyncio.timeout(60):
                        received = await exchange(address, pieces)
                    check_answers(case, seen, received)
                    results.append((statuses(received), list(seen)))
                assert results[0] == results[1] == results[2], case.name

    guava_loop.run(main())
