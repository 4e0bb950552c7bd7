"""What strictness costs: instructions, counted by callgrind, of core/ beside http-parser alone in
the same run. And whatever grows, grows in proportion."""

import functools
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

NATIVE = Path(__file__).parent.parent / "native"
SOURCES = ["address", "chunks", "field", "parser", "scan", "target", "verdict"]
COMPILER = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
VALGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
MANY = 100

WRK = b"GET / HTTP/1.1\r\nHost: localhost:80\r\n\r\n"
CURL = (
    b"GET /menu/today?sort=price HTTP/1.1\r\nHost: www.example.com\r\n"
    b"User-Agent: curl/7.88.1\r\nAccept: */*\r\nX-Request-Id: 4f9d2c7ab1e84f9d2c7ab1e84f9d\r\n\r\n"
)
BROWSER = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nConnection: keep-alive\r\n"
    b"Cache-Control: max-age=0\r\n"
    b'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"\r\nsec-ch-ua-mobile: ?0\r\n'
    b'sec-ch-ua-platform: "Linux"\r\nUpgrade-Insecure-Requests: 1\r\n'
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/130.0.0.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    b"*/*;q=0.8\r\nSec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\n"
    b"Sec-Fetch-Dest: document\r\nAccept-Encoding: gzip, deflate, br\r\n"
    b"Accept-Language: en-GB,en;q=0.9\r\nCookie: theme=dark; sid=" + b"0123456789abcdef" * 5
) + b"\r\n\r\n"

if shutil.which("valgrind") is None or shutil.which(COMPILER) is None:
    pytest.skip("instructions are counted by valgrind in compiled C", allow_module_level=True)
if os.environ.get("GUAVA_SANITIZED"):
    pytest.skip("valgrind and AddressSanitizer exclude each other", allow_module_level=True)


def chunked(count):
    return (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1\r\nx\r\n" * count
        + b"0\r\n\r\n"
    )


@pytest.fixture(scope="module")
def cost(tmp_path_factory):
    """cost(what, who, data): instructions for one reading."""
    folder = tmp_path_factory.mktemp("cost")
    built = folder / "core_cost"
    sources = [NATIVE / "core" / f"{name}.c" for name in SOURCES]
    here = Path(__file__).with_name("core_cost.c")
    # As the release is built (see CMakeLists.txt).
    flags = ["-std=c11", "-D_GNU_SOURCE", "-DNDEBUG", "-O3", "-flto", "-Wl,-z,now", "-I", NATIVE]
    done = subprocess.run(
        [COMPILER, *flags, here, *sources, "-lhttp_parser", "-o", built],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr

    @functools.cache
    def total(what, who, data, times):
        counted = subprocess.run(
            [*VALGRIND, built, what, who, str(times)],
            input=data,
            capture_output=True,
            timeout=240,
        )
        assert counted.returncode == 0, counted.stderr
        found = re.search(rb"Collected : (\d+)", counted.stderr)
        assert found is not None, counted.stderr
        return int(found[1])

    def cost(what, who, data, times=MANY):
        return (total(what, who, data, times) - total("head", "core", b"", 0)) / times

    return cost


@pytest.mark.parametrize(
    ("data", "size", "most"),
    # Of the parser's own instructions. The first is the worst: it has hardly any fields.
    [(WRK, 38, 0.60), (CURL, 144, 0.25), (BROWSER, 703, 0.20)],
    ids=["wrk", "curl", "browser"],
)
def test_the_layer_costs_a_fraction_of_the_parser(cost, data, size, most):
    assert len(data) == size
    alone = cost("head", "alone", data)
    layer = cost("head", "core", data) - alone
    print(f"{size} bytes: http-parser alone {alone:.0f}, layer {layer:.0f}: {layer / alone:.2f}")
    assert 0 < layer <= alone * most


def test_chunks_cost_less_than_the_parser_would(cost):
    """The parser does not see bodies: they are read in its place."""
    few, many = chunked(10), chunked(1010)
    core = (cost("head", "core", many, 10) - cost("head", "core", few, 10)) / 1000
    alone = (cost("head", "alone", many, 10) - cost("head", "alone", few, 10)) / 1000
    print(f"a chunk of one byte: http-parser alone {alone:.0f}, core {core:.0f}")
    assert 0 < core <= alone * 0.7


def with_fields(n):
    return b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Name: some value\r\n" * n + b"\r\n"


def with_path(n):
    return b"GET " + b"/segment" * n + b" HTTP/1.1\r\nHost: a\r\n\r\n"


def with_hosts_and_tabs(n):
    """A length with a tab behind it, which is read a second time."""
    return (
        b"POST / HTTP/1.1\r\nHost: a\r\n" + b"X: y\t \t\r\n" * n + b"Content-Length: 0\t\r\n\r\n"
    )


def with_connection(n):
    return b"GET / HTTP/1.1\r\nHost: a\r\nConnection: " + b"a, " * n + b"b\r\n\r\n"


def with_length(n):
    return b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"0" * n + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("head", with_fields),
        ("head", with_path),
        ("head", with_hosts_and_tabs),
        ("head", with_connection),
        ("head", with_length),
        ("head", chunked),
        ("scan", with_fields),
        ("scan", with_path),
    ],
)
def test_twice_as_much_costs_twice_as_much(cost, what, make):
    one, two = (cost(what, "core", make(n), 1) for n in (1000, 2000))
    assert 1.2 * one < two <= 2.5 * one, (one, two)
