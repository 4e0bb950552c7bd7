"""What the README says of the server is run: every Python block of its sections about it. What it
says of the types, test_readme_types.py runs."""

import dataclasses
import hashlib
import inspect
import re
from pathlib import Path

import pytest
from guava_http import Headers, Limits, Server, Timeouts

TEXT = (Path(__file__).parent.parent / "README.md").read_text()


def section(title):
    return re.search(rf"^## {title}\n(.*?)^## ", TEXT, re.MULTILINE | re.DOTALL)[1]


def blocks(title):
    return re.findall(r"^```python\n(.*?)^```", section(title), re.MULTILINE | re.DOTALL)


def run(block):
    names = {"__name__": "example"}
    exec(compile(block, "README.md", "exec"), names)
    return names


def test_there_are_examples():
    titles = ("Serve", "Handlers", "Bodies", "Answers", "Limits")
    assert [len(blocks(title)) for title in titles] == [2, 1, 1, 1, 1]
    assert len(re.findall("```python", TEXT)) == 7


def test_behind_a_proxy():
    names = run(blocks("Behind a proxy")[0])

    class Request:
        peer, scheme, host = ("10.1.2.3", 5), "http", "inner"
        HEADERS = Headers({"Forwarded": "for=203.0.113.9;proto=https;host=shop.example"})

    assert names["whoami"](Request()) == "203.0.113.9 asked for https://shop.example"


def test_serve(native):
    hello = run(blocks("Serve")[0])["hello"]

    async def scenario(server, connect):
        client = await connect()
        assert (await client.get("/")).body == b"Hello, world!"
        assert (await client.get("/?name=you")).body == b"Hello, you!"

    native.run(hello, scenario)


def test_a_server_in_a_program():
    assert run(blocks("Serve")[1])["answer"].endswith(b"Hello")


@pytest.mark.parametrize(
    ("name", "status", "type", "body"),
    [
        ("page", 200, "text/html; charset=utf-8", rb"<h1>Text is HTML</h1>"),
        ("data", 200, "application/json", rb'{"json":true,"you sent":0}'),
        ("slow", 201, "text/html; charset=utf-8", rb"Created"),
        ("lines", 200, "text/html; charset=utf-8", rb"0\n1\n2\n"),
        ("ticks", 200, "text/event-stream", rb"(data: \d\d:\d\d:\d\d\n\n){3}"),
        ("download", 200, "text/plain", rb"(?s).*localhost.*"),
    ],
)
def test_handlers(whole, name, status, type, body):
    handler = run(blocks("Handlers")[0])[name]

    async def scenario(server, connect):
        answer = await (await connect()).get()
        assert (answer.status, answer["Content-Type"]) == (status, type)
        assert re.fullmatch(body, answer.body)

    whole.run(handler, scenario)


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nHello\r\n'
    b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n12345\r\n'
    b"--x--\r\n"
)


@pytest.mark.parametrize(
    ("name", "body", "answer"),
    [
        ("form", FORM, b'{"photo":5,"title":"Hello"}'),
        ("photos", FORM, b'{"photo":5}'),
        ("upload", b"Hello", hashlib.sha256(b"Hello").hexdigest().encode()),
        ("blocking", b"x" * 100_000, b"100000"),
    ],
)
def test_bodies(whole, name, body, answer):
    handler = run(blocks("Bodies")[0])[name]

    async def scenario(server, connect):
        client = await connect()
        head = (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        await client.send(head.encode() + body)
        got = await client.answer()
        assert (got.status, got.body) == (200, answer)

    whole.run(handler, scenario)


@pytest.mark.parametrize(
    ("name", "path", "status", "body"),
    [
        ("prices", "/", 200, rb"(?s)retry: ?2000\n.*event: ?price\n.*30.*"),
        ("hosts", "/", 200, rb"(?s).*localhost.*"),
        ("go", "/?next=/a", 303, rb"(?s).*"),
        ("created", "/", 201, rb'\{"id":7\}'),
    ],
)
def test_answers(whole, name, path, status, body):
    handler = run(blocks("Answers")[0])[name]

    async def scenario(server, connect):
        answer = await (await connect()).get(path)
        assert answer.status == status
        assert re.fullmatch(body, answer.body)
        if name == "go":
            assert answer["Location"] == "/a"

    whole.run(handler, scenario)


def test_an_answer_with_all_the_rest(whole, capsys):
    handler = run(blocks("Answers")[0])["shown"]

    async def scenario(server, connect):
        client = await connect()
        await client.send(
            b"GET /x HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nTE: trailers\r\n"
            b"Connection: close, TE\r\n\r\n"
        )
        got = await client.end()
        hint, _, answer = got.partition(b"\r\n\r\n")
        assert hint.startswith(b"HTTP/1.1 103 ") and b"Link: </style.css>" in hint
        assert answer.startswith(b"HTTP/1.1 200 ") and b"Content-Encoding: gzip" in answer
        assert answer.endswith(b"Server-Timing: render;dur=1.5\r\n\r\n")

    whole.run(handler, scenario)
    assert capsys.readouterr().out == "answered /x\n"


def test_the_server_of_limits():
    server = run(blocks("Limits")[0])["server"]
    assert isinstance(server, Server)


def test_the_tables_name_every_option():
    for options, table in zip(
        (Limits, Timeouts), section("Limits").split("| `Timeouts`"), strict=True
    ):
        for field in dataclasses.fields(options):
            default = "1 MiB" if field.default == 1 << 20 else str(field.default)
            row = rf"^\| `{field.name}`.*\| {default} \|"
            assert re.search(row, table, re.MULTILINE), (options, field.name)
    given = set(inspect.signature(Server).parameters) - {"handler"}
    assert given <= set(re.findall(r"`(\w+)`", section("Serve")))
