"""What a match allocates, counted; patterns when memory fails; and nothing that is left behind."""

import subprocess
import sys

import pytest

BEGIN = """
import sys
try:
    from _testcapi import remove_mem_hooks, set_nomemory
except ImportError:
    print("no _testcapi")
    raise SystemExit

from guava_router import Handler, Match, Router
from guava_router._core import Paths

class Own:
    def convert(self, text):
        if not text.isalpha():
            raise ValueError
        return text
    def format(self, value):
        return value

class Request:
    __slots__ = ("method", "path", "host")
    def __init__(self, method, path, host=None):
        self.method, self.path, self.host = method, path, host

router = Router(converters={"own": Own()})
for i in range(30):
    router.register(f"/static/{i}", i)
    router.register(f"/r{i}/{{name}}", i, methods=["GET"])
    router.register(f"/i{i}/{{id:int}}/x", i, methods=["POST", "GET"])
    router.register(f"/h{i}/{{id:int}}", Handler(".", "m", "C", "x"))
router.register("/d/{d:date}/{u:uuid}/{f:float}/{o:own}/{rest:path}", 1)
router.register("/{a}-{b}.{c}", 1, methods=["GET"])
hosted = Router({"/a": 1, "/{o:own}": 2}, converters={"own": Own()})
hosted.register("/a", 3, host="{x:own}.example")
router.match("GET", "/")
hosted.match("GET", "/")
"""

COUNTS = (
    BEGIN
    + """
def allocations(method, path):
    match = router.match
    wanted = str(match(method, path))
    for n in range(50):
        got = None
        try:
            set_nomemory(n)
            try:
                got = match(method, path)
            finally:
                remove_mem_hooks()
        except MemoryError:
            continue
        assert str(got) == wanted
        return n
    raise AssertionError(path)

counts = {
    "static": allocations("GET", "/static/7"),
    "not found": allocations("GET", "/static/7/and/more"),
    "near miss": allocations("GET", "/d/2024-02-30/x"),
    "text": allocations("GET", "/r7/abcdef"),
    "number": allocations("GET", "/i7/123456/x"),
    "head": allocations("HEAD", "/i7/123456/x"),
    "two of three": allocations("GET", "/abc-de.f"),
}
print(counts)
"""
)

NO_MEMORY = (
    BEGIN
    + """
uid = "12345678-1234-5678-9abc-123456789abc"
registry = router._registered()
groups = registry.groups(router._placed())
rest = (registry.converters.callables(), (1, 2, 3, 4), router._slash)
operations = {
    "Match": lambda: Match(1, {"a": 1, "b": 2}, pattern="/"),
    "repr": lambda: repr(router.match("GET", "/r7/x")),
    "params": lambda: Match(1, {"a": 1, "b": 2}).params,
    "args": lambda: Match(1, {"a": 1, "b": 2}).args,
    # What is native of Router._compile(): Python 3.12 ends where a lambda gets no memory.
    "compile": lambda: Paths(groups, *rest),
    "match": lambda: router.match("GET", f"/d/2024-02-29/{uid}/1.5/abc/a/b"),
    "no match": lambda: router.match("GET", f"/d/2024-02-29/{uid}/1.5/abc/"),
    "long number": lambda: router.match("GET", "/i7/" + "9" * 50 + "/x"),
    "not ascii": lambda: router.match("GET", "/r7/\\u00e4\\u00f6"),
    "handler": lambda: router.route(Request("GET", "/h7/1")),
    "route": lambda: router.route(Request("GET", "/abc-def.ghi")),
    "405": lambda: router.match("PUT", "/i7/1/x"),
    "options": lambda: router.match("OPTIONS", "/i7/1/x"),
    "redirect": lambda: router.match("GET", "/static/7/", query="a=b"),
    "long redirect": lambda: router.match("GET", "/r7/" + "x" * 900 + "/"),
    "host": lambda: hosted.match("GET", "/a", "abc.example"),
    "host of a request": lambda: hosted.route(Request("GET", "/a", "abc.example")),
    "two own": lambda: hosted.match("GET", "/abc", "abc.example"),
}

if sys.version_info >= (3, 12) or hasattr(sys, "gettotalrefcount"):
    # PyFunction_New() of 3.12.1 and 3.13.0 drops a reference too many where a lambda, or a
    # generator expression, gets no memory, and a debug build ends itself (STACK_LEVEL() == 0);
    # these answers are made in Python.
    for name in ("405", "options", "redirect", "long redirect"):
        del operations[name]

def attempt(operation, n):
    try:
        set_nomemory(n, n + 1)
        try:
            operation()
        finally:
            remove_mem_hooks()
    except MemoryError:
        return True
    return False

failed = 0
for name, operation in operations.items():
    attempt(operation, 10**6)
    quiet = 0
    for n in range(1, 3000):
        if attempt(operation, n):
            failed += 1
            quiet = 0
        else:
            quiet += 1
        if quiet > 30:
            break
    else:
        raise AssertionError(f"{name} never runs out of allocations")
assert router.match("GET", "/static/7").target == 7
print("failed", failed)
"""
)

FLAT = (
    BEGIN
    + """
import gc
uid = "12345678-1234-5678-9abc-123456789abc"
asked = [
    ("GET", "/static/7"), ("GET", "/r7/abc"), ("HEAD", "/i7/77777/x"), ("PUT", "/i7/7/x"),
    ("OPTIONS", "/i7/7/x"), ("GET", "/static/7/"), ("GET", "/nothing"), ("GET", "/abc-de.f"),
    ("GET", f"/d/2024-02-29/{uid}/1.5/abc/a/b"), ("GET", f"/d/2024-02-29/{uid}/1.5/abc/"),
    ("GET", "/i7/" + "9" * 50 + "/x"), ("GET", "/r7/\\u00e4"),
]
def once():
    for method, path in asked:
        found = router.match(method, path, query="a=b")
        getattr(found, "params", None), getattr(found, "args", None)
        router.route(Request(method, path))
    hosted.match("GET", "/a", "abc.example")
    hosted.match("GET", "/abc", "abc.example")
    hosted.match("GET", "/abc", "a7c.example")
    hosted.route(Request("GET", "/a", "abc.example"))
    try:
        router.match("GET", 7)
    except TypeError:
        pass
for _ in range(200):
    once()
gc.collect()
before = sys.getallocatedblocks()
for _ in range(10_000):
    once()
gc.collect()
grown = sys.getallocatedblocks() - before
tables = Router({"/{a}/" + str(i): i for i in range(100)})
for i in range(20):
    tables._compile()
gc.collect()
before = sys.getallocatedblocks()
for i in range(200):
    tables._compile()
gc.collect()
print("grown", grown, sys.getallocatedblocks() - before)
"""
)


def run(source: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    if "no _testcapi" in done.stdout:
        pytest.skip("this Python has no _testcapi to make allocations fail")
    return done.stdout


def test_a_match_allocates_nothing_but_its_result() -> None:
    assert run(COUNTS).strip() == str(
        {
            "static": 0,  # one match for all requests
            "not found": 0,
            "near miss": 0,
            "text": 2,  # the match and the text
            "number": 2,
            "head": 2,
            "two of three": 3,  # the match and two texts: one letter is Python's own
        }
    )


def test_no_allocation_may_fail_badly() -> None:
    assert int(run(NO_MEMORY).split()[1]) > 30


def test_ten_thousand_matches_leave_nothing_behind() -> None:
    word, matches, tables = run(FLAT).split()
    assert word == "grown"
    assert abs(int(matches)) < 50
    assert abs(int(tables)) < 50
