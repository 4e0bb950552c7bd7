"""The capsule and what guava_loop.h offers beside streams: versions, time, ticks, errors."""

import asyncio
import os
import re
import struct
import subprocess
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import guava_loop
import pytest


def test_header_is_installed() -> None:
    header = Path(guava_loop.get_include(), "guava_loop.h")
    assert "GUAVA_LOOP_ABI" in header.read_text()


def test_the_table_is_complete(loop_probe: ModuleType) -> None:
    table = loop_probe.table()
    abi, size = struct.unpack_from("=II", table)
    assert abi == 1
    assert size == len(table)
    word = struct.calcsize("P")
    functions = struct.unpack(f"={(size - 8) // word}{'Q' if word == 8 else 'I'}", table[8:])
    assert all(functions)
    assert len(set(functions)) == len(functions)


def test_a_larger_table_is_taken_and_others_are_refused(
    loop_probe: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = loop_probe.table()
    size = len(table)

    def provide(abi: int, said: int, more: bytes = b"") -> None:
        fake = loop_probe.fake_capsule(struct.pack("=II", abi, said) + table[8:] + more)
        monkeypatch.setattr(guava_loop, "_C_API", fake)

    assert loop_probe.import_again() is True
    provide(1, size + 8, b"\0" * 8)  # a newer guava-loop
    assert loop_probe.import_again() is False  # another table, but a good one
    provide(1, size - 8)  # an older one
    with pytest.raises(ImportError) as caught:
        loop_probe.import_again()
    assert f"ABI 1 and at least {size} bytes" in str(caught.value)
    assert f"found ABI 1 of {size - 8} bytes" in str(caught.value)
    provide(2, size)
    with pytest.raises(ImportError, match=f"found ABI 2 of {size} bytes"):
        loop_probe.import_again()
    monkeypatch.setattr(guava_loop, "_C_API", object())
    with pytest.raises(AttributeError):
        loop_probe.import_again()


def test_a_module_that_is_imported_first(c_modules: Path) -> None:
    """The capsule's import brings guava_loop in."""
    code = "import sys, loop_probe; assert 'guava_loop' in sys.modules; print('fine')"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(c_modules)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "fine\n"


def test_from_object(loop: Any, loop_probe: ModuleType) -> None:
    other = asyncio.new_event_loop()
    try:
        for wrong in (None, 42, object, guava_loop.Loop, other):
            with pytest.raises(TypeError, match=r"a guava_loop\.Loop is needed, not "):
                loop_probe.time(wrong)
    finally:
        other.close()

    class Derived(guava_loop.Loop):
        pass

    derived = Derived()
    assert loop_probe.time(derived) > 0
    derived.close()


def test_running(loop: Any, loop_probe: ModuleType) -> None:
    async def main() -> Any:
        return loop_probe.running()

    assert loop_probe.running() is None
    assert loop.run_until_complete(main()) is loop
    assert asyncio.run(main()) is None


def test_time_is_the_loops(loop: Any, loop_probe: ModuleType) -> None:
    before = time.monotonic()
    now = loop_probe.time(loop)
    assert before <= now <= loop.time()


def test_http_date(loop: Any, loop_probe: ModuleType) -> None:
    before = int(time.time())
    date = loop_probe.http_date(loop)
    assert re.fullmatch(
        r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
        r" \d{4} \d\d:\d\d:\d\d GMT",
        date,
    )
    parsed = parsedate_to_datetime(date)
    assert before <= parsed.timestamp() <= time.time()
    assert parsed.strftime("%a") == date[:3]


def test_http_date_moves_on(loop: Any, loop_probe: ModuleType) -> None:
    first = loop_probe.http_date(loop)
    seen = {first}

    def look() -> None:
        seen.add(loop_probe.http_date(loop))
        if len(seen) == 1:
            loop.call_later(0.01, look)
        else:
            loop.stop()

    loop.call_soon(look)
    loop.run_forever()
    stamps = sorted(parsedate_to_datetime(date).timestamp() for date in seen)
    assert stamps[1] - stamps[0] == 1


def test_ticks(loop: Any, loop_probe: ModuleType) -> None:
    seen: list[int] = []

    def tick() -> None:
        seen.append(loop_probe.tick(loop))
        if len(seen) == 3:
            loop_probe.off_tick(loop, handle)
            loop.stop()

    before = loop.time()
    start = loop_probe.tick(loop)
    handle = loop_probe.on_tick(loop, tick, 150)
    loop.run_forever()
    assert loop.time() - before >= 0.59  # rounded up to 200 ms, three times
    assert start < seen[0] < seen[1] < seen[2]
    loop.call_later(0.25, loop.stop)
    loop.run_forever()
    assert len(seen) == 3  # off is off


def test_a_tick_does_not_outlive_the_loop(loop: Any, loop_probe: ModuleType) -> None:
    seen: list[int] = []
    loop_probe.on_tick(loop, lambda: seen.append(1), 100)
    loop.close()
    assert seen == []
    with pytest.raises(RuntimeError, match="closed"):
        loop_probe.on_tick(loop, print, 100)


def test_a_tick_that_raises(loop: Any, loop_probe: ModuleType) -> None:
    def tick() -> None:
        loop.stop()
        raise ZeroDivisionError

    handle = loop_probe.on_tick(loop, tick, 0)
    loop.run_forever()
    loop_probe.off_tick(loop, handle)
    assert [type(error["exception"]) for error in loop.errors] == [ZeroDivisionError]
    loop.errors.clear()


def test_error(loop: Any, loop_probe: ModuleType) -> None:
    exc = ValueError("wrong")
    thing = object()
    assert loop_probe.error(loop, exc, "in a test", thing) is False
    assert loop_probe.error(loop, exc, "without an object") is False
    first, second = loop.errors
    assert (first["message"], first["exception"]) == ("in a test", exc)
    assert thing in first.values()
    assert (second["message"], second["exception"]) == ("without an object", exc)
    loop.errors.clear()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_errors_that_end_the_run(loop: Any, loop_probe: ModuleType, kind: Any) -> None:
    loop.call_soon(lambda: loop_probe.error(loop, kind(), "in a test"))
    with pytest.raises(kind):
        loop.run_forever()


def test_loops_share_nothing(loop_probe: ModuleType) -> None:
    loops = [guava_loop.new_event_loop() for _ in range(3)]
    order: list[int] = []
    for i, made in enumerate(loops):
        loop_probe.defer(made, lambda i=i: order.append(i))
    for made in reversed(loops):
        made.call_soon(made.stop)
        made.run_forever()
        made.close()
    assert order == [2, 1, 0]
