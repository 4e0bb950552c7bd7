"""Memory: every constructor and every match under failing allocations, and other interpreters."""

import subprocess
import sys
from pathlib import Path

import pytest
from guava_router import _core

NO_MEMORY = """
import os
import sys
try:
    from _testcapi import set_nomemory, remove_mem_hooks
except ImportError:
    print("no _testcapi")
    raise SystemExit

from guava_router import Endpoint, Handler, Mounts, Router, open_beneath
from guava_router._core import RouterBase, Table

class Request:
    __slots__ = ("method", "path")
    def __init__(self, method, path):
        self.method, self.path = method, path

class Custom(Router):
    def route(self, req):
        return None

handler = Handler(".", "m", "C", "x")
routes = [((f"segment{i}", None), m, handler, 0, -1) for i in range(40) for m in ("GET", None)]
table = Table(routes, fold=True, loose_slash=True)
custom = Custom({"/x": handler})
router = Router({"/x": handler}, mount_point="/m")
router._table = table
late = Router({"/y": handler}, mount_point="/late")
mounts = Mounts(custom, router, late)
root = os.open(sys.argv[1], os.O_RDONLY)

operations = {
    "Handler": lambda: Handler(".", "m", "C", "x", ("1",)),
    "Handler of a class": lambda: Handler(controller=Custom),
    "repr": lambda: repr(handler),
    "hash": lambda: hash(handler),
    "Endpoint": lambda: Endpoint("p", "m", "C", "x").handler(["1"]),
    "Table": lambda: Table(routes),
    "match": lambda: table.match("GET", "/segment7/parameter/rest/\\u00e4/z"),
    "RouterBase": lambda: RouterBase(),
    "relative": lambda: router.relative("/m/abcdef"),
    "route": lambda: router.route(Request("GET", "/m/segment7/parameter/rest/\\u00e4/z")),
    "mounts": lambda: mounts.route(Request("GET", "/m/segment7/parameter/rest/\\u00e4/z")),
    "custom": lambda: mounts.route(Request("GET", "/x")),
    "plan": lambda: mounts._plan(
        (custom,), ((("m",), (router, late)), (("l",), (custom,))), (str,)
    ),
    "open_beneath": lambda: os.close(open_beneath(root, "file")),
}

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
    for n in range(1, 2000):
        if attempt(operation, n):
            failed += 1
            quiet = 0
        else:
            quiet += 1
        if quiet > 30:
            break
    else:
        raise AssertionError(f"{name} never runs out of allocations")
print("failed", failed)
"""

INTERPRETERS = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

# The extension module without the package, which imports modules that are not our concern.
code = f'''
import importlib.util
spec = importlib.util.spec_from_file_location("guava_router._core", {sys.argv[1]!r})
core = importlib.util.module_from_spec(spec)
spec.loader.exec_module(core)
class R:
    method, path = "GET", "/m/x/1"
handler = core.Handler(".", "m", "C", "x")
router = core.RouterBase()
router._mount = "/m"
router._table = core.Table([(("x",), "GET", handler, 0, -1)])
assert router.route(R).args == ("1",)
mounts = core.MountsBase()
mounts._plan((), ((("m",), (router,)),), ())
assert mounts.route(R) == (router, core.Handler(".", "m", "C", "x", ("1",)))
'''
for _ in range(3):
    one = interpreters.create()
    error = interpreters.run_string(one, code)  # raises in 3.12, returns the error later
    assert error is None, error
    interpreters.destroy(one)
print("done")
"""


def run(source: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_allocation_may_fail_badly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = run(NO_MEMORY, str(tmp_path))
    if "no _testcapi" in out:
        pytest.skip("this Python has no _testcapi to make allocations fail")
    assert int(out.split()[1]) > 30


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="interpreters have a lock of their own since 3.12"
)
def test_other_interpreters_have_their_own() -> None:
    assert run(INTERPRETERS, _core.__file__) == "done\n"
