"""FileStore under many processes, and under kill at every point of a write."""

import hashlib
import os
import random
import signal
import time

import pytest
from guava_session import FileStore, generate_id

PAD = "x" * 3000


def record(number):
    """A session whose parts must belong together."""
    return {"number": number, "pad": PAD, "digest": digest(number)}


def digest(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def check(found):
    assert found is not None and set(found) == {"number", "pad", "digest"}
    assert found["digest"] == digest(found["number"]) and found["pad"] == PAD
    return found["number"]


def start(function, *args):
    """Run it in a forked process; the process id."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function(*args)
            status = 0
        finally:
            os._exit(status)
    return pid


def succeeded(*pids):
    return [os.waitpid(pid, 0)[1] for pid in pids] == [0] * len(pids)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sessions"


def test_no_update_is_lost_between_processes(folder):
    store = FileStore(folder)
    ids = [generate_id() for _ in range(3)]
    for sid in ids:
        store.set(sid, {"start": True})

    def work(number, inherited):
        # Half of them share the parent's descriptors, as pre-forked workers do.
        own = store if inherited else FileStore(folder)
        for turn in range(60):
            assert own.merge(ids[turn % 3], {f"{number}.{turn}": turn})

    processes = [start(work, number, number % 2 == 0) for number in range(4)]
    assert succeeded(*processes)
    found = {}
    for sid in ids:
        found.update(store.get(sid))
    expected = {f"{number}.{turn}": turn for number in range(4) for turn in range(60)}
    assert found == {"start": True, **expected}
    store.close()


def test_readers_never_see_half_a_session(folder):
    store = FileStore(folder)
    ids = [generate_id() for _ in range(4)]
    for sid in ids:
        store.set(sid, record(0))

    def write(seed):
        chance = random.Random(seed)
        for turn in range(150):
            store.set(chance.choice(ids), record(seed * 1000 + turn))

    def read():
        for turn in range(600):
            check(store.get(ids[turn % 4]))

    processes = [start(write, 1), start(write, 2), start(read), start(read)]
    assert succeeded(*processes)
    store.close()


def test_all_agree_on_one_key(folder):
    """Eight processes begin at once in a folder that is not there; every one can read the rest."""
    reader, writer = os.pipe()

    def work():
        with FileStore(folder) as store:
            sid = generate_id()
            store.set(sid, {"a": 1})
            os.write(writer, sid.encode())

    processes = [start(work) for _ in range(8)]
    assert succeeded(*processes)
    os.close(writer)
    with open(reader) as pipe:
        text = pipe.read()
    ids = [text[place : place + 43] for place in range(0, len(text), 43)]
    assert len(ids) == 8
    with FileStore(folder) as store:
        assert all(store.get(sid) == {"a": 1} for sid in ids)
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == ["key"]


CALLS = ("open", "write", "close", "rename", "mkdir", "fsync", "unlink", "read")


def kill_at(count):
    """Let this process be killed before its count-th system call on a file."""
    left = count

    def wrap(real):
        def call(*args, **kwargs):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    for name in CALLS:
        setattr(os, name, wrap(getattr(os, name)))
    import fcntl

    fcntl.flock = wrap(fcntl.flock)


@pytest.mark.parametrize("what", ["set new", "set", "merge", "touch", "take", "delete", "clear"])
def test_a_process_killed_at_any_point_breaks_nothing(folder, what):
    """It is killed before its first system call, its second, and so on until it survives."""
    killed = 0
    for count in range(1, 1000):
        store = FileStore(folder, key=b"k" * 32, fsync=True, lifetime=1000)
        sid, other = generate_id(), generate_id()
        store.set(other, record(7))
        if what != "set new":
            store.set(sid, record(1))
        late = FileStore(folder, key=b"k" * 32, lifetime=1000, clock=lambda: time.time() + 500)

        def work(count=count, sid=sid, store=store, late=late):
            kill_at(count)
            if what.startswith("set"):
                store.set(sid, record(2))
            elif what == "merge":
                store.merge(sid, record(2))
            elif what == "touch":
                late.touch(sid)
            elif what == "clear":
                # Of the whole folder only this session's part: the rest is the same again.
                store.clear(sid)
            else:
                getattr(store, what)(sid)

        survived = succeeded(start(work))
        found = store.get(sid)
        if what == "set new":
            assert found is None or check(found) == 2
        elif what in ("take", "delete"):
            assert found is None or check(found) == 1
        elif what == "clear":
            assert found == {} or check(found) == 1
        else:
            assert check(found) in ((1,) if what == "touch" else (1, 2))
        assert check(store.get(other)) == 7
        # No lock is left behind, and the next writer and the sweeper put things in order.
        store.set(sid, record(3))
        assert check(store.get(sid)) == 3
        store.sweep(1200)
        left = [p.name for p in folder.rglob("*") if p.is_file() and p.name.startswith(".")]
        assert left == []
        store.clear()
        store.close()
        late.close()
        if survived:
            break
        killed += 1
    assert survived and killed >= 4


def test_processes_killed_at_random_break_nothing(folder):
    chance = random.Random(5)
    store = FileStore(folder)
    ids = [generate_id() for _ in range(5)]
    for sid in ids:
        store.set(sid, record(0))

    def work(seed):
        mine = random.Random(seed)
        while True:
            store.set(mine.choice(ids), record(mine.randrange(10**6)))
            store.merge(mine.choice(ids), record(mine.randrange(10**6)))

    for round_number in range(25):
        pid = start(work, round_number)
        time.sleep(chance.random() * 0.03)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for sid in ids:
            check(store.get(sid))
    store.sweep(1000)
    assert [p for p in folder.rglob("*") if p.name.startswith(".")] == []
    store.close()


def test_a_killed_first_process_leaves_no_half_a_key(folder):
    for count in range(1, 100):
        pid = start(lambda count=count: (kill_at(count), FileStore(folder)))
        survived = succeeded(pid)
        with FileStore(folder) as store:
            sid = generate_id()
            store.set(sid, {"a": 1})
        with FileStore(folder) as store:
            assert store.get(sid) == {"a": 1}
        (folder / "key").unlink()
        if survived:
            break
    assert survived and count > 5
