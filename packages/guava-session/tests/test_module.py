"""The native module as a whole: loaded twice, in other interpreters, and without its siblings."""

import importlib.machinery
import importlib.util
import subprocess
import sys
import textwrap

import guava_session
import pytest
from guava_session import _core


def load_again():
    loader = importlib.machinery.ExtensionFileLoader(_core.__name__, _core.__file__)
    spec = importlib.util.spec_from_file_location(_core.__name__, _core.__file__, loader=loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_a_second_copy_shares_nothing():
    other = load_again()
    assert other is not _core and other.Table is not _core.Table
    table = other.Table()
    table.set("a", b"1", 10)
    assert table.get("a") == b"1" and other.is_id(_core.generate_id())


def test_types_are_closed():
    with pytest.raises(TypeError):
        _core.Table.get = None
    with pytest.raises(TypeError):
        type("Derived", (_core.Table,), {})


@pytest.mark.skipif(sys.version_info < (3, 12), reason="such interpreters came with Python 3.12")
def test_an_interpreter_with_its_own_gil_may_use_it():
    """In a process of its own: it is the interpreter that is tried, not this test run."""
    code = f"""
        import threading
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        inner = '''
        import importlib.machinery, importlib.util
        name, path = {_core.__name__!r}, {_core.__file__!r}
        loader = importlib.machinery.ExtensionFileLoader(name, path)
        spec = importlib.util.spec_from_file_location(name, path, loader=loader)
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        table = module.Table(max_entries=100)
        for _ in range(2000):
            sid = module.generate_id()
            table.set(sid, sid.encode(), 10)
            assert table.get(sid) == sid.encode()
        assert len(table) == 100
        '''
        import textwrap
        def work():
            interpreter = interpreters.create()
            result = interpreters.run_string(interpreter, textwrap.dedent(inner))
            if result is None:
                done.append(interpreter)
            else:
                print(result)
            interpreters.destroy(interpreter)
        done = []
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(len(done))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "3\n", done.stdout + done.stderr


def test_it_needs_nothing_but_python():
    code = """
        import sys
        before = set(sys.modules)
        import guava_session
        for name in set(sys.modules) - before:
            top = name.partition(".")[0]
            assert top == "guava_session" or top in sys.stdlib_module_names, name
        for name in ("http", "asyncio", "socket", "ssl"):
            assert name not in sys.modules, name
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_everything_public_is_there_and_documented():
    for name in guava_session.__all__:
        assert getattr(guava_session, name).__doc__, name
    for name in ("generate_id", "is_id", "Table"):
        assert getattr(_core, name).__doc__, name
    for name, method in vars(_core.Table).items():
        assert name.startswith("__") or method.__doc__, name
