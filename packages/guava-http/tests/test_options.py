"""Limits and Timeouts as objects: what they are when nobody says so, and what is refused."""

import dataclasses
import math
import resource
import socket
import ssl

import pytest
from guava_http import BodyPolicy, Limits, Server, Timeouts
from guava_http.process import most_connections


def hello(request):
    return "hello"


def test_the_defaults():
    assert dataclasses.asdict(Limits()) == {
        "head": 32 * 1024,
        "fields": 100,
        "target": 8190,
        "body": 1024 * 1024,
        "chunk_extensions": 4096,
        "trailers": 8192,
        "pipelined": 64 * 1024,
        "form_fields": 1000,
        "form_parts": 1000,
        "part_head": 64 * 1024,
        "part_memory": 64 * 1024,
        "connections": None,
        "requests": 0,
    }
    assert dataclasses.asdict(Timeouts()) == {
        "head": 10,
        "body": 20,
        "body_rate": 240,
        "keep_alive": 65,
        "write": 60,
        "request": None,
    }


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
def test_a_limit_out_of_range_is_named(name):
    for value in (-1, 1 << 70):
        with pytest.raises(ValueError, match=rf"^Limits\.{name} must be .* not {value}$"):
            Limits(**{name: value})
    for value in ("1", 1.5, True):
        with pytest.raises(TypeError, match=rf"^Limits\.{name} must be an int"):
            Limits(**{name: value})
    if name != "connections":
        with pytest.raises(TypeError):
            Limits(**{name: None})


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Timeouts)])
def test_a_timeout_out_of_range_is_named(name):
    for value in (-1, math.nan):
        with pytest.raises(ValueError, match=rf"^Timeouts\.{name} must be .* not {value}$"):
            Timeouts(**{name: value})
    for value in ("1", True):
        with pytest.raises(TypeError, match=rf"^Timeouts\.{name} must be a number"):
            Timeouts(**{name: value})


def test_zero_is_no_time_but_a_rate():
    for name in ("head", "body", "keep_alive", "write", "request"):
        with pytest.raises(ValueError, match=name):
            Timeouts(**{name: 0})
    assert Timeouts(body_rate=0).body_rate == 0
    with pytest.raises(TypeError, match="body_rate must be a number, not NoneType"):
        Timeouts(body_rate=None)


def test_the_outermost_values_are_taken():
    Server(
        hello,
        limits=Limits(
            head=64, fields=1, target=1, body=0, chunk_extensions=0, trailers=0, pipelined=1
        ),
    )
    most = Limits(
        head=1 << 24,
        fields=65535,
        target=1 << 15,
        body=1 << 62,
        pipelined=1 << 30,
        connections=1 << 30,
        requests=(1 << 32) - 1,
    )
    Server(hello, limits=most, timeouts=Timeouts(head=1e300, body=math.inf, body_rate=1e300))
    never = Timeouts(head=None, body=None, keep_alive=None, write=None, request=None)
    Server(hello, timeouts=never)


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("host", 5, TypeError),
        ("host", "", ValueError),
        ("port", "80", TypeError),
        ("port", True, TypeError),
        ("port", -1, ValueError),
        ("port", 65536, ValueError),
        ("backlog", 1.5, TypeError),
        ("backlog", 0, ValueError),
        ("limits", {"head": 100}, TypeError),
        ("timeouts", 5, TypeError),
        ("sockets", 5, TypeError),
        ("sockets", [5], TypeError),
        ("ssl", True, TypeError),
        ("ssl", ssl.create_default_context(), ValueError),
        ("threads", "4", TypeError),
        ("threads", 0, ValueError),
        ("compress", "gzip", TypeError),
        ("compress", None, TypeError),
        ("body_policy", BodyPolicy(), TypeError),
        ("transport", "uvloop", ValueError),
    ],
)
def test_a_wrong_option_is_named_when_the_server_is_made(option, value, error):
    with pytest.raises(error, match=rf"^{option} "):
        Server(hello, **{option: value})


def test_sockets_that_nothing_can_be_accepted_from():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        with pytest.raises(ValueError, match="SOCK_STREAM, not SOCK_DGRAM"):
            Server(hello, sockets=[datagrams])
        with pytest.raises(TypeError, match=r"^sockets must be a list of sockets, not socket"):
            Server(hello, sockets=datagrams)
    with pytest.raises(ValueError, match="closed"):
        Server(hello, sockets=[datagrams])


class Loose:
    """Not a Limits: nothing has looked at its values."""

    def __init__(self, like, **given):
        for field in dataclasses.fields(like):
            setattr(self, field.name, given.get(field.name, getattr(like, field.name)))


@pytest.mark.parametrize(
    "given", [{"head": 1 << 40}, {"fields": 1 << 20}, {"target": 1 << 16}, {"head": -1}]
)
def test_the_native_half_trusts_nobody(given):
    from guava_http import _core

    def make(limits, timeouts):
        nothing = dict.fromkeys(("log", "pump", "wrap", "throttle", "body_policy", "threaded"))
        _core.Server(hello, **nothing, limits=limits, timeouts=timeouts)

    make(Limits(connections=5), Timeouts())
    with pytest.raises(ValueError, match=next(iter(given))):
        make(Loose(Limits(connections=5), **given), Timeouts())
    with pytest.raises(AttributeError):
        make(object(), Timeouts())
    with pytest.raises(ValueError, match="body_rate"):
        make(Limits(connections=5), Loose(Timeouts(), body_rate=math.nan))


def test_connections_follow_the_descriptors():
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    expected = 10_000 if soft == resource.RLIM_INFINITY else min(soft - 64, 10_000)
    assert most_connections() == max(expected, 1)
