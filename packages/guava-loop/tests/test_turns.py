"""What a turn of the loop costs in system calls, counted in a process of its own."""

import collections
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
    pytest.mark.skipif("GUAVA_SANITIZED" in os.environ, reason="sanitizers make system calls"),
]

PROGRAM = """
import os, socket, threading, time
import guava_loop
loop = guava_loop.new_event_loop()
left, right = socket.socketpair()
N = 500
def repeat(step):
    def again(count):
        step()
        if count:
            loop.call_soon(again, count - 1)
        else:
            loop.call_soon(loop.stop)
    loop.call_soon(again, N - 2)
{set_up}
for _ in range(2):  # the first time warms up
    os.access("guava-mark", 0)
{body}
    loop.run_forever()
os.access("guava-mark", 0)
loop.close()
"""


def calls(body: str, folder: Path, set_up: str = "") -> collections.Counter[str]:
    trace = folder / "trace"
    program = PROGRAM.format(
        set_up=textwrap.dedent(set_up), body=textwrap.indent(textwrap.dedent(body), "    ")
    )
    command = ["strace", "-f", "-o", str(trace), sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    counted: collections.Counter[str] = collections.Counter()
    marks, thread = 0, ""
    for line in trace.read_text().splitlines():
        pid, _, call = line.partition(" ")
        call = call.lstrip()
        if "guava-mark" in call:
            marks, thread = marks + 1, pid
        elif marks == 2 and pid == thread and not call.startswith(("<...", "---", "+++")):
            name = call.partition("(")[0]
            counted["poll" if name in ("epoll_wait", "epoll_pwait", "epoll_pwait2") else name] += 1
    assert marks == 3
    # Of the start and end of a run (signals, 3.11's running loop), and memory: not of a turn.
    for other in ("fstat", "newfstatat", "fcntl", "getpid", "brk", "mmap", "munmap", "futex"):
        counted.pop(other, None)
    return counted


def assert_only_polls(counted: collections.Counter[str], rounds: int = 500) -> None:
    """One in eight rounds after the first, or more where eight took too long."""
    assert set(counted) == {"poll"}
    # A debug build needs the 50 microseconds for a round or two.
    most = rounds if hasattr(sys, "gettotalrefcount") else rounds / 2
    assert rounds / 8 - 1 <= counted["poll"] <= most


def test_some_rounds_are_one_poll(tmp_path):
    assert_only_polls(calls("repeat(lambda: None)", tmp_path))


def test_the_loops_own_thread_is_not_woken_by_itself(tmp_path):
    assert_only_polls(calls("repeat(lambda: loop.call_soon_threadsafe(int))", tmp_path))


def test_timers_that_are_cancelled_cost_nothing(tmp_path):
    assert_only_polls(calls("repeat(lambda: loop.call_later(30, print).cancel())", tmp_path))


def test_timers_that_wait_cost_nothing(tmp_path):
    assert_only_polls(calls("repeat(lambda: loop.call_later(30, print))", tmp_path))


def test_a_timer_is_one_poll(tmp_path):
    """Not a second one because the first ended too early."""
    set_up = """
    def tick(count):
        if count:
            loop.call_later(0.0007, tick, count - 1)
        else:
            loop.stop()
    """
    counted = calls("tick(100)", tmp_path, set_up)
    assert set(counted) == {"poll"}
    # On a busy machine one may be due before the poll for it.
    assert 50 <= counted["poll"] <= 102


def test_a_message_to_a_reader_is_one_poll(tmp_path):
    """And nothing that is told to the kernel anew each time."""
    set_up = """
    left.setblocking(False)
    count = 0
    def read():
        global count
        left.recv(10)
        count += 1
        if count % N == 0:
            loop.stop()
        else:
            right.send(b"x")
    loop.add_reader(left, read)
    """
    counted = calls("right.send(b'x')", tmp_path, set_up)
    assert counted == {"poll": 500, "recvfrom": 500, "sendto": 500}


def test_an_interest_that_is_taken_back_is_not_told(tmp_path):
    """The second direction of a watched file, added and removed within one turn."""
    set_up = "loop.add_reader(left, print)"
    body = "repeat(lambda: (loop.add_writer(left, print), loop.remove_writer(left)))"
    assert_only_polls(calls(body, tmp_path, set_up))


def wake_ups(trace: Path) -> int:
    """Writes to an event descriptor, which libuv has on Linux and which takes eight bytes."""
    return len(re.findall(r" write\(\d+, .*, 8(?:\)| <unfinished)", trace.read_text()))


def test_a_loop_that_is_awake_is_not_woken_by_another_thread(tmp_path):
    set_up = """
    def fill():
        hold.clear()
        loop.call_soon(hold.wait)
        thread = threading.Thread(target=push)
        thread.start()
    def push():
        for _ in range(1000):
            loop.call_soon_threadsafe(int)
        loop.call_soon_threadsafe(loop.stop)
        hold.set()
    hold = threading.Event()
    """
    calls("fill()", tmp_path, set_up)
    assert wake_ups(tmp_path / "trace") == 0


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads the thread's state in /proc"
)
def test_a_loop_that_sleeps_is_woken_once(tmp_path):
    set_up = """
    stat = f"/proc/self/task/{threading.get_native_id()}/stat"
    def wake():
        asleep = 0
        while asleep < 5:
            with open(stat) as file:
                asleep = asleep + 1 if file.read().rpartition(")")[2].split()[0] == "S" else 0
            time.sleep(0.01)
        loop.call_soon_threadsafe(loop.stop)
    """
    calls("loop.call_soon(threading.Thread(target=wake).start)", tmp_path, set_up)
    assert wake_ups(tmp_path / "trace") == 2  # calls() runs it twice


def test_a_loop_that_waits_is_not_woken(tmp_path):
    """Not once in its sleep: by no clock, no watchdog, no signal descriptor."""
    counted = calls("loop.call_later(0.4, loop.stop)", tmp_path)
    assert counted["poll"] in (1, 2) and counted.total() == counted["poll"]


def test_timing_makes_no_system_calls(tmp_path):
    body = "repeat(lambda: None)"
    assert_only_polls(calls(body, tmp_path, "loop.set_debug(True)"))
    # But for the thread of loop.watch(), which starts with a run.
    watched = calls(body, tmp_path, "loop.watch(60)")
    assert watched["poll"] <= 250 and watched.total() - watched["poll"] < 20, watched


def test_counting_makes_no_system_calls(tmp_path):
    assert_only_polls(calls("repeat(loop.stats)", tmp_path))
