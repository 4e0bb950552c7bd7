"""All stores, and one of four methods, through the tests that this package gives to users."""

import asyncio
import subprocess
import sys

import pytest
from guava_session import FileStore, LayeredStore, MemoryStore, SessionStore, SQLiteStore
from guava_session.testing import StoreConformance


class TestMemory(StoreConformance):
    follows_clock = atomic = True

    def make(self, lifetime, clock):
        return MemoryStore(lifetime=lifetime, clock=clock)


class InAFolder(StoreConformance):
    follows_clock = atomic = True

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path):
        self.path = tmp_path / "sessions"


class TestFile(InAFolder):
    def make(self, lifetime, clock):
        return FileStore(self.path, lifetime=lifetime, clock=clock)

    def reopen(self, store, clock):
        return FileStore(store.directory, clock=clock)


class TestSQLite(InAFolder):
    def make(self, lifetime, clock):
        return SQLiteStore(self.path, lifetime=lifetime, clock=clock)

    def reopen(self, store, clock):
        return SQLiteStore(store.path, clock=clock)


class FourMethods(SessionStore):
    """No more than a store must have."""

    def __init__(self, lifetime, clock):
        super().__init__(lifetime=lifetime)
        self.clock = clock
        self.rows = {}

    def set(self, sid, value):
        self.rows[sid] = self.serializer.dumps(value), self.clock() + self.lifetime

    def get(self, sid):
        data, expires = self.rows.get(sid, (b"", 0))
        return self.serializer.loads(data) if expires > self.clock() else None

    def delete(self, sid):
        self.rows.pop(sid, None)

    def clear(self, sid=None):
        if sid is None:
            self.rows.clear()
        elif self.get(sid):
            self.set(sid, {})


class TestFourMethods(StoreConformance):
    follows_clock = True
    clears_one = False

    def make(self, lifetime, clock):
        return FourMethods(lifetime, clock)


class AsyncFourMethods(SessionStore):
    """The same for an event loop, which has its turn in the middle of each."""

    def __init__(self, lifetime, clock):
        super().__init__(lifetime=lifetime)
        self.inner = FourMethods(lifetime, clock)

    async def set(self, sid, value):
        await asyncio.sleep(0)
        self.inner.set(sid, value)

    async def get(self, sid):
        await asyncio.sleep(0)
        return self.inner.get(sid)

    async def delete(self, sid):
        await asyncio.sleep(0)
        self.inner.delete(sid)

    async def clear(self, sid=None):
        await asyncio.sleep(0)
        self.inner.clear(sid)


class TestAsyncFourMethods(StoreConformance):
    follows_clock = True
    clears_one = False

    def make(self, lifetime, clock):
        return AsyncFourMethods(lifetime, clock)


class TestLayers(StoreConformance):
    follows_clock = atomic = True

    def make(self, lifetime, clock):
        return LayeredStore(MemoryStore(lifetime=lifetime, clock=clock), clock=clock)


class TestLayersOverAsync(TestAsyncFourMethods):
    def make(self, lifetime, clock):
        return LayeredStore(AsyncFourMethods(lifetime, clock), clock=clock)


class ComparingStore(FourMethods):
    """With compare_and_set() the inherited merge() loses nothing."""

    def compare_and_set(self, sid, old, new):
        found, expires = self.rows.get(sid, (b"", 0))
        if expires <= self.clock() or found != self.serializer.dumps(old):
            return False
        self.set(sid, new)
        return True


def test_merge_tries_again_when_somebody_came_in_between():
    store = ComparingStore(100, lambda: 0.0)
    store.set("a", {"n": 0})
    real = store.compare_and_set
    between = iter([{"n": 0, "x": 1}, {"n": 0, "x": 1, "y": 2}])

    def interrupted(sid, old, new):
        for value in between:
            store.set(sid, value)
            break
        return real(sid, old, new)

    ComparingStore.compare_and_set, before = (
        lambda self, *arguments: interrupted(*arguments),
        ComparingStore.compare_and_set,
    )
    try:
        real = before.__get__(store)
        assert store.merge("a", {"z": 3})
    finally:
        ComparingStore.compare_and_set = before
    assert store.get("a") == {"n": 0, "x": 1, "y": 2, "z": 3}


class Forgetful(FourMethods):
    def delete(self, sid):
        pass


class Sharing(FourMethods):
    def set(self, sid, value):
        self.rows[sid] = value, self.clock() + self.lifetime

    def get(self, sid):
        value, expires = self.rows.get(sid, ({}, 0))
        return value if expires > self.clock() else None


class Eternal(FourMethods):
    def get(self, sid):
        return self.serializer.loads(self.rows[sid][0]) if sid in self.rows else None


class Guessing(FourMethods):
    def get(self, sid):
        return super().get(sid) or next(
            (self.serializer.loads(data) for data, _ in self.rows.values()), None
        )


@pytest.mark.parametrize("store", [Forgetful, Sharing, Eternal, Guessing])
def test_what_is_wrong_is_found(store):
    class Suite(TestFourMethods):
        def make(self, lifetime, clock):
            return store(lifetime, clock)

    failed = []
    for name in [name for name in dir(Suite) if name.startswith("test_")]:
        try:
            getattr(Suite(), name)()
        except AssertionError:
            failed.append(name)
        except BaseException as error:
            assert type(error).__name__ == "SkipTest", error
    assert failed


def run(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "guava_session.testing", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_without_pytest(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from guava_session import MemoryStore\n"
        "from guava_session.testing import StoreConformance\n"
        "class Good(StoreConformance):\n"
        "    follows_clock = atomic = True\n"
        "    def make(self, lifetime, clock):\n"
        "        return MemoryStore(lifetime=lifetime, clock=clock)\n"
        "class Store(MemoryStore):\n"
        "    def delete(self, sid): pass\n"
        "class Bad(Good):\n"
        "    def make(self, lifetime, clock):\n"
        "        return Store(lifetime=lifetime, clock=clock)\n"
    )
    done = run(tmp_path, "mine:Good")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "passed   merge" in lines and not any(line.startswith("FAILED") for line in lines)
    assert any(line.startswith("skipped  another process sees it: ") for line in lines)
    done = run(tmp_path, "mine:Bad")
    assert done.returncode == 1 and "FAILED   what is deleted is gone" in done.stdout
    for words, text in (
        ((), "usage: "),
        (("mine",), "usage: "),
        (("nothing:Here",), "No module named"),
        (("mine:Nobody",), "has no attribute"),
        (("mine:Store",), "Store is no StoreConformance"),
    ):
        done = run(tmp_path, *words)
        assert done.returncode == 2 and text in done.stderr
