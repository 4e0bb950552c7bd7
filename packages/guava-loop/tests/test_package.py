"""What `import guava_loop` offers."""

import asyncio
import importlib.metadata
import subprocess
import sys
import textwrap
from pathlib import Path

import guava_loop
import pytest


def test_every_name_is_there():
    for name in guava_loop.__all__:
        assert getattr(guava_loop, name) is not None
    assert guava_loop.__version__ == importlib.metadata.version("guava-loop")
    assert int(guava_loop.UV_VERSION.split(".")[0]) >= 1
    with pytest.raises(AttributeError, match="spam"):
        _ = guava_loop.spam


def test_the_header_is_where_get_include_says():
    assert (Path(guava_loop.get_include()) / "guava_loop.h").is_file()


def test_run_returns_and_raises_what_the_coroutine_does():
    async def value():
        assert type(asyncio.get_running_loop()) is guava_loop.Loop
        return 5

    async def failure():
        raise ZeroDivisionError

    assert guava_loop.run(value()) == 5
    with pytest.raises(ZeroDivisionError):
        guava_loop.run(failure())


def test_run_in_debug_mode():
    async def main():
        return asyncio.get_running_loop().get_debug()

    assert guava_loop.run(main(), debug=True) is True
    assert guava_loop.run(main(), debug=False) is False


def test_run_refuses_what_is_no_coroutine():
    with pytest.raises((TypeError, ValueError)):
        guava_loop.run(3)


def test_run_refuses_to_nest():
    async def main():
        coroutine = asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="cannot be called from a running event loop"):
            guava_loop.run(coroutine)
        coroutine.close()

    guava_loop.run(main())


def test_run_cancels_what_is_left():
    ended = []

    async def forever():
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    async def main():
        task = asyncio.ensure_future(forever())
        await asyncio.sleep(0)
        return task

    assert guava_loop.run(main()).cancelled() and ended == [True]


def test_a_runner_takes_it():
    async def main():
        return asyncio.get_running_loop()

    with asyncio.Runner(loop_factory=guava_loop.new_event_loop) as runner:
        assert isinstance(runner.run(main()), guava_loop.Loop)
        assert runner.run(main()) is runner.get_loop()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="asyncio has deprecated policies in 3.14")
def test_install():
    program = """
        import asyncio, guava_loop
        guava_loop.install()
        async def main():
            return type(asyncio.get_running_loop())
        assert asyncio.run(main()) is guava_loop.Loop
        assert isinstance(asyncio.get_event_loop_policy(), guava_loop.EventLoopPolicy)
        print("installed")
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "installed\n", done.stderr


def test_an_import_touches_no_policy():
    program = "import sys, guava_loop; print('guava_loop.policy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"


def test_native_types_cannot_be_made_or_changed():
    for kind in (guava_loop.Handle, guava_loop.TimerHandle):
        with pytest.raises(TypeError):
            kind()
        with pytest.raises(TypeError):
            kind.spam = 1


def test_import_warns_of_nothing():
    """Python deprecates what extension modules do, too: 3.12 immutable types of mutable bases."""
    command = [sys.executable, "-W", "error", "-c", "import guava_loop"]
    subprocess.run(command, check=True, timeout=60)
