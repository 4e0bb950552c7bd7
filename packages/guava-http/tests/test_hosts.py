"""The names that a server answers for."""

import pytest
from guava_http import Server

NAMES = ["example.com", ".below.example", "192.0.2.1", "[2001:DB8::1]", "Bücher.example"]
OURS = ["example.com", "EXAMPLE.com", "example.com:8000", "example.com.", "example.com.:80"]
OURS += ["below.example", "a.below.example", "a.b.BELOW.example:1", "192.0.2.1", "192.0.2.1:"]
OURS += ["[2001:db8::1]", "[2001:db8::1]:80", "xn--bcher-kva.example"]
OTHERS = ["", "example.org", "example.co", "xample.com", "a.example.com", "example.com.evil"]
OTHERS += ["notbelow.example", ".below.example.", "192.0.2.11", "[2001:db8::2]", ":80", "a"]
OTHERS += ["example.com%2eevil", "example.com..", ".", "a.below.example.org"]


def host(request):
    return request.host or "none"


@pytest.mark.parametrize("name", OURS)
def test_what_is_answered(wire, name):
    async def scenario(server, connect):
        client = await connect()
        await client.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        answer = await client.answer()
        assert (answer.status, answer.body) == (200, name.encode())

    wire.run(host, scenario, allowed_hosts=NAMES)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not(wire, name):
    async def scenario(server, connect):
        client = await connect()
        await client.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\nGET / HTTP/1.1\r\n".encode())
        answer = await client.answer()
        assert (answer.status, answer.reason) == (421, "Misdirected Request")
        assert answer["Connection"] == "close"
        assert await client.end() == b""
        assert server.stats().refused == 1

    def handler(request):
        raise AssertionError

    wire.run(handler, scenario, allowed_hosts=NAMES)


def test_the_target_counts_before_the_field(whole):
    async def scenario(server, connect):
        for target, field, status in [
            ("http://example.com/", "example.org", 200),
            ("http://example.org/", "example.com", 421),
        ]:
            client = await connect()
            await client.send(f"GET {target} HTTP/1.1\r\nHost: {field}\r\n\r\n".encode())
            assert (await client.answer()).status == status

    whole.run(host, scenario, allowed_hosts=NAMES)


def test_1_0_without_a_host(whole):
    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.answer()).status == 421

    whole.run(host, scenario, allowed_hosts=NAMES)


def test_any_host_unless_told(whole):
    async def scenario(server, connect):
        for name in OURS + [name for name in OTHERS if name]:
            client = await connect()
            await client.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            assert (await client.answer()).status == 200

    whole.run(host, scenario)


def test_what_is_no_name():
    for hosts in (["a b"], ["a:80"], ["http://a"], ["*"], [""], ["."], ["[::1"], ["1.2.3"], []):
        with pytest.raises(ValueError, match="allowed_hosts"):
            Server(host, allowed_hosts=hosts)
    for hosts in ("example.com", [b"example.com"], [None]):
        with pytest.raises(TypeError, match="allowed_hosts"):
            Server(host, allowed_hosts=hosts)
