"""What the README says of the server is run: every Python block of "Serve", "Handlers" and
"Limits". What it says of the types, test_readme_types.py runs."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
from guava_http import Limits, Server, Timeouts

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
    assert [len(blocks(title)) for title in ("Serve", "Handlers", "Limits")] == [2, 1, 1]
    assert len(re.findall("```python", TEXT)) == 4


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
