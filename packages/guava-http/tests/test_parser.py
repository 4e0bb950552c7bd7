"""Reading requests, without a connection: what is understood, what is refused, and why."""

import pytest
from guava_http import _core

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def probe(data: bytes, **limits: int):
    """The same result however the bytes arrive: (status, head, body, taken)."""
    result = _core._probe(data, **limits)
    for step in {1, 2, 3, 7, max(1, len(data) - 1)}:
        assert _core._probe(data, step=step, **limits) == result, f"in steps of {step}"
    return result


def head_of(data: bytes, **limits: int):
    status, head, _, _ = probe(data, **limits)
    assert status == 0
    return head


def with_line(line: bytes) -> bytes:
    return line + b"\r\nHost: a\r\n\r\n"


def with_field(field: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n"


def post(fields: bytes, body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n" + body


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body)


def test_a_head_is_taken_apart():
    data = (
        b"GET /a/b%20c?x=1&y=2 HTTP/1.1\r\n"
        b"Host: example.org:8080\r\n"
        b"Accept:\t text/html \t\r\n"
        b"X-Empty:\r\n"
        b"x-twice: 1\r\n"
        b"X-Twice: 2\r\n\r\n"
    )
    status, head, body, taken = probe(data + b"rest")
    assert (status, body, taken) == (0, b"", len(data))
    assert head == {
        "method": b"GET",
        "target": b"/a/b%20c?x=1&y=2",
        "path": b"/a/b%20c",
        "query": b"x=1&y=2",
        "host": b"example.org:8080",
        "fields": [
            (b"Host", b"example.org:8080"),
            (b"Accept", b"text/html"),
            (b"X-Empty", b""),
            (b"x-twice", b"1"),
            (b"X-Twice", b"2"),
        ],
        "minor": 1,
        "keep_alive": True,
        "chunked": False,
        "expect_continue": False,
        "content_length": 0,
        "has_length": False,
    }


def test_every_beginning_is_incomplete():
    for n in range(len(GET)):
        assert probe(GET[:n])[0] == -1


def test_one_empty_line_in_front_is_forgiven():
    assert head_of(b"\r\n" + GET)["path"] == b"/"
    assert probe(b"\r\n\r\n" + GET)[0] == 400


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        (b"/", b"/", b"", b"a"),
        (b"/?", b"/", b"", b"a"),
        (b"/?a?b", b"/", b"a?b", b"a"),
        (b"//x/../y", b"//x/../y", b"", b"a"),
        (b'/a|b^{}`"<>\\[]', b'/a|b^{}`"<>\\[]', b"", b"a"),
        (b"http://b:80/c?d", b"/c", b"d", b"b:80"),
        (b"HTTPS://b", b"/", b"", b"b"),
        (b"http://b?d", b"/", b"d", b"b"),
        (b"http://[::1]:8000/", b"/", b"", b"[::1]:8000"),
    ],
)
def test_targets(target, path, query, host):
    head = head_of(with_line(b"GET " + target + b" HTTP/1.1"))
    assert (head["target"], head["path"], head["query"]) == (target, path, query)
    assert head["host"] == host


def test_the_asterisk_is_for_options_only():
    assert head_of(with_line(b"OPTIONS * HTTP/1.1"))["path"] == b"*"
    assert probe(with_line(b"GET * HTTP/1.1"))[0] == 400
    assert probe(with_line(b"OPTIONS *x HTTP/1.1"))[0] == 400


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"a",
        b"/a\tb",
        b"/\x7f",
        b"/\xc3\xa4",
        b"/a#b",
        b"/%",
        b"/%4",
        b"/%zz",
        b"/%4g",
        b"ftp://a/",
        b"http:/a",
        b"http://",
        b"http:///",
        b"http://u@a/",
        b"http://a:b/",
        b"http://a:123456/",
        b"http://[::1/",
        b"http://[]/",
        b"http://a b/",
        b"mailto:a",
        b"/a b",
    ],
)
def test_bad_targets(target):
    assert probe(with_line(b"GET " + target + b" HTTP/1.1"))[0] == 400


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET", 400),
        (b"GET /", 400),
        (b"GET / ", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET /  HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET\t/\tHTTP/1.1", 400),
        (b"G\x00T / HTTP/1.1", 400),
        (b"GET / HTTP/1", 400),
        (b"GET / HTTP/1.10", 400),
        (b"GET / HXXX!1.1", 400),
        (b"GET / http/1.1", 400),
        (b"SOURCE / ICE/1.0", 400),
        (b"GET / HTTP/1.2", 505),
        (b"GET / HTTP/0.9", 505),
        (b"GET / HTTP/2.0", 505),
        (b"PRI * HTTP/2.0", 505),
        (b"CONNECT a:80 HTTP/1.1", 501),
        (b"QUERY / HTTP/1.1", 501),
        (b"get / HTTP/1.1", 501),
        (b"\x16\x03\x01\x02\x00\x01", 400),
    ],
)
def test_bad_request_lines(line, status):
    assert probe(with_line(line))[0] == status


def test_another_protocol_is_refused_at_its_first_byte():
    assert probe(b"\x16\x03")[0] == 400


@pytest.mark.parametrize(
    "method", [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"PURGE"]
)
def test_methods(method):
    assert head_of(with_line(method + b" / HTTP/1.1"))["method"] == method


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \rY: z\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
    ],
)
def test_bad_lines(data):
    assert probe(data)[0] == 400


@pytest.mark.parametrize("stray", [b"\r", b"\n"])
def test_a_stray_break_anywhere(stray):
    data = b"GET /a/long/enough/path HTTP/1.1\r\nHost: a\r\nX-Name: 0123456789abcdef\r\n\r\n"
    assert probe(data)[0] == 0
    for i in range(len(data) - 1):
        assert probe(data[:i] + stray + data[i:])[0] == 400, data[:i]


@pytest.mark.parametrize(
    "field",
    [
        b"X : y",
        b"X Y: z",
        b": y",
        b"X",
        b"X\x00: y",
        b"X: \x00",
        b"X: a\x00b",
        b"X: \x01",
        b"X: a\x7f",
        b"X: \x7f",
        b"X\xff: y",
        b"(X): y",
        b"Content-Length : 5",
    ],
)
def test_bad_fields(field):
    assert probe(with_field(field))[0] == 400


def test_values_may_hold_high_bytes():
    assert (b"X", b"\xc3\xa4 \xff") in head_of(with_field(b"X: \xc3\xa4 \xff"))["fields"]


@pytest.mark.parametrize(
    "host", [b"a", b"a:1", b"[::1]", b"[::1]:80", b"", b"1.2.3.4", b"a_b~%41"]
)
def test_hosts(host):
    assert head_of(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")["host"] == host


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"Host: a\r\nHost: a\r\n",
        b"Host: a\r\nhost: b\r\n",
        b"Host: a b\r\n",
        b"Host: u@a\r\n",
        b"Host: a/b\r\n",
        b"Host: a,b\r\nHost: c\r\n",
        b"Host: a:\xc3\r\n",
        b"Host: a:80:80\r\n",
        b"Host: [a\r\n",
        b"Host: %zz\r\n",
    ],
)
def test_bad_hosts(fields):
    assert probe(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")[0] == 400


def test_only_1_0_may_lack_a_host():
    head = head_of(b"GET / HTTP/1.0\r\n\r\n")
    assert (head["minor"], head["host"], head["keep_alive"]) == (0, b"", False)
    assert probe(b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n")[0] == 400


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"1.1", b"X: y", True),
        (b"1.1", b"Connection: close", False),
        (b"1.1", b"Connection: CLOSE", False),
        (b"1.1", b"Connection: a,\tclose\t, b", False),
        (b"1.1", b"Connection: keep-alive\r\nConnection: close", False),
        (b"1.1", b"Connection: closed", True),
        (b"1.1", b"Proxy-Connection: close", True),
        (b"1.1", b"Connection: ,,", True),
        (b"1.0", b"X: y", False),
        (b"1.0", b"Connection: Keep-Alive", True),
        (b"1.0", b"Connection: keep-alive, close", False),
    ],
)
def test_keep_alive(version, connection, kept):
    data = b"GET / HTTP/" + version + b"\r\nHost: a\r\n" + connection + b"\r\n\r\n"
    assert head_of(data)["keep_alive"] is kept


def test_an_upgrade_is_an_ordinary_request():
    head = head_of(with_field(b"Connection: upgrade\r\nUpgrade: websocket"))
    assert head["path"] == b"/"


@pytest.mark.parametrize("length", [b"0", b"5", b"0005"])
def test_lengths(length):
    body = b"hello"[: int(length)]
    status, head, found, taken = probe(post(b"Content-Length: " + length, body) + b"GET")
    assert (status, found) == (0, body)
    assert head["content_length"] == len(body)
    assert taken == len(post(b"Content-Length: " + length, body))


@pytest.mark.parametrize(
    "fields",
    [b"Content-Length: " + value for value in (b"", b"+5", b"-5", b"0x5", b"5.0", b'"5"', b"5 5")]
    + [b"Content-Length: 5,5", b"Content-Length: 5\r\nContent-Length: 5", b"Content-Length: five"]
    + [b"Content-Length: 18446744073709551616", b"Content-Length: 99999999999999999999999"]
    + [b"Content-Length: 5\r\nTransfer-Encoding: chunked"]
    + [b"Transfer-Encoding: chunked\r\nContent-Length: 5"]
    + [b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding:"],
)
def test_bad_framing(fields):
    assert probe(post(fields, b"hello"))[0] == 400


def test_1_0_has_no_transfer_codings():
    data = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert probe(data)[0] == 400


@pytest.mark.parametrize("coding", [b"gzip", b"gzip, chunked", b"identity", b"chunked;q=1", b"x"])
def test_unknown_codings(coding):
    assert probe(post(b"Transfer-Encoding: " + coding, b""))[0] == 501


def test_expectations():
    assert head_of(with_field(b"Expect: 100-Continue"))["expect_continue"] is True
    assert probe(with_field(b"Expect: a miracle"))[0] == 417
    assert head_of(b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")["expect_continue"] is False
    assert head_of(b"GET / HTTP/1.0\r\nExpect: a miracle\r\n\r\n")["expect_continue"] is False


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"2\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
        (b'5;a=b;c="d"\r\nhello\r\n0;x\r\n\r\n', b"hello"),
        (b"5 \t;a\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"0000000000000005\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\n\r\n0\r\n\r\n0\r\nTrailer: x\r\nOther:\r\n\r\n", b"\r\n0\r\n"),
    ],
)
def test_chunks(wire, body):
    status, head, found, taken = probe(chunked(wire) + b"GET")
    assert (status, found, head["chunked"]) == (0, body, True)
    assert taken == len(chunked(wire))


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\n",
        b"x\r\n",
        b" 5\r\n",
        b"5 \r\n",
        b"5\t\r\n",
        b"-5\r\n",
        b"+5\r\n",
        b"0x5\r\n",
        b"5\nhello",
        b"5\r\nhello0\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\rX0\r\n\r\n",
        b"5\rX",
        b"2;\nxx\r\n",
        b"5;a\x00\r\n",
        b"5;a\rb\r\n",
        b"00000000000000005\r\n",
        b"0\r\n\n",
        b"0\r\n\rX",
        b"0\r\n X: y\r\n\r\n",
        b"0\r\nX\r\n\r\n",
        b"0\r\n: y\r\n\r\n",
        b"0\r\nX: y\nZ: z\r\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\nX: \x00\r\n\r\n",
    ],
)
def test_bad_chunks(wire):
    assert probe(chunked(wire))[0] == 400


def test_chunk_framing_has_bounds():
    assert probe(chunked(b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n"))[0] == 400
    assert probe(chunked(b"0\r\nX: " + b"a" * 9000 + b"\r\n\r\n"))[0] == 400
    # A byte a chunk: six bytes of framing for each.
    assert probe(chunked(b"1\r\na\r\n" * 3000 + b"0\r\n\r\n"))[0] == 0
    assert probe(chunked(b"1\r\na\r\n" * 5000 + b"0\r\n\r\n"))[0] == 400


# ---- limits, each at its last good and its first bad number ----


def test_the_limit_of_a_head():
    data = with_field(b"X: " + b"a" * 200)
    assert probe(data, head=len(data))[0] == 0
    assert probe(data, head=len(data) - 1)[0] == 431
    assert probe(with_field(b"X: " + b"a" * 900), head=200)[0] == 431
    # Not before it is sure.
    assert probe(data[:-1], head=len(data))[0] == -1


def test_the_limit_of_fields():
    fields = b"".join(b"X%d: y\r\n" % i for i in range(9))
    data = b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"
    assert len(head_of(data, fields=10)["fields"]) == 10
    assert probe(data, fields=9)[0] == 431


def test_the_limit_of_a_target():
    data = with_line(b"GET /" + b"a" * 99 + b" HTTP/1.1")
    assert probe(data, target=100)[0] == 0
    assert probe(data, target=99)[0] == 414
    assert probe(b"GET /" + b"a" * 1000, target=99)[0] == 414


def test_the_limit_of_a_body():
    data = post(b"Content-Length: 5", b"hello")
    assert probe(data, body=5)[0] == 0
    assert probe(data, body=4)[0] == 413
    assert probe(post(b"Content-Length: 9223372036854775807", b""))[0] == 413


def test_the_limit_of_a_chunked_body():
    data = chunked(b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
    assert probe(data, body=5)[0] == 0
    assert probe(data, body=4)[0] == 413
    assert probe(chunked(b"7FFFFFFFFFFFFFFF\r\n"))[0] == 413
    assert probe(chunked(b"FFFFFFFFFFFFFFFF\r\n"))[0] == 413
