"""SessionManager(lock=True): the requests of one session, one after the other."""

import asyncio
import os
import threading
import warnings

import pytest
from guava_session import (
    ASGISessions,
    CookieStore,
    FileStore,
    LayeredStore,
    MemoryStore,
    SessionLocked,
    SessionManager,
    SessionStore,
    SQLiteStore,
    StoreError,
    WSGISessions,
)
from guava_session.locks import Locks

LONG = 100.0  # seconds; nobody waits that long


class Remote(MemoryStore):
    remote = True


STORES = {
    "memory": lambda path: MemoryStore(),
    "remote": lambda path: Remote(),
    "layers": lambda path: LayeredStore(MemoryStore(), fresh=LONG),
    "file": lambda path: FileStore(path / "sessions"),
    "sqlite": lambda path: SQLiteStore(path / "sessions.db"),
}


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    with STORES[request.param](tmp_path) as store:
        yield store


def begin(store):
    manager = SessionManager(store)
    session = manager.open(None)
    session["n"] = 0
    return manager.commit(session).value


def test_tasks_of_one_loop_wait_for_each_other(store):
    sid = begin(store)

    async def main():
        manager = SessionManager(store, lock=True, lock_timeout=LONG)

        async def count():
            for _ in range(5):
                session = manager.open(sid)
                await session.aload()
                n = session["n"]
                await asyncio.sleep(0)
                session["n"] = n + 1
                await manager.acommit(session)

        await asyncio.gather(*(count() for _ in range(4)))
        session = manager.open(sid)
        await session.aload()
        assert session["n"] == 20
        await manager.arelease(session)

    asyncio.run(main())


def test_who_waits_for_too_long_is_told(store):
    sid = begin(store)
    first = SessionManager(store, lock=True, lock_timeout=LONG).open(sid)
    assert first["n"] == 0
    manager = SessionManager(store, lock=True, lock_timeout=0.02)
    second = manager.open(sid)
    for _ in range(2):
        with pytest.raises(SessionLocked, match=r"held this session for 0\.02 seconds"):
            second["n"]
    assert issubclass(SessionLocked, StoreError)

    async def main():
        with pytest.raises(SessionLocked):
            await manager.open(sid).aload()

    asyncio.run(main())
    manager.release(second)  # has none
    manager.release(first)
    assert second["n"] == 0
    manager.commit(second)
    manager.release(second)  # once more


def test_what_nobody_can_lock_is_not_locked(store):
    manager = SessionManager(store, lock=True, lock_timeout=LONG)
    session, other = manager.open(None), manager.open(None)
    session["a"], other["a"] = 1, 2
    sid = manager.commit(session).value
    manager.commit(other)
    # Neither does one that was never touched, nor a text that is no id.
    manager.commit(manager.open(sid))
    assert manager.open("nobody").new
    # And a rotated or destroyed one gives back the lock that it had.
    session = manager.open(sid)
    session.rotate()
    new = manager.commit(session).value
    assert manager.open(sid).new
    session = manager.open(new)
    assert session["a"] == 1
    session.destroy()
    manager.commit(session)
    session = manager.open(new)
    assert session.new
    manager.commit(session)


def test_a_commit_that_fails_gives_it_back(monkeypatch):
    store = MemoryStore()
    manager = SessionManager(store, lock=True, lock_timeout=LONG)
    sid = begin(store)

    def full(*arguments, **options):
        raise OSError(28, "no room")

    session = manager.open(sid)
    session["n"] = 1
    with monkeypatch.context() as patch:
        patch.setattr(store, "merge", full)
        manager.commit(session)
    assert session.save_error is not None
    assert manager.open(sid)["n"] == 0


def test_one_that_cannot_be_read_gives_it_back(monkeypatch):
    store = MemoryStore()
    manager = SessionManager(store, lock=True, lock_timeout=LONG)
    sid = begin(store)

    def gone(sid):
        raise StoreError("gone")

    session = manager.open(sid)
    with monkeypatch.context() as patch:
        patch.setattr(store, "get", gone)
        with pytest.raises(StoreError):
            session["n"]
    assert session["n"] == 0  # under the lock that it has already
    manager.release(session)
    assert manager.open(sid)["n"] == 0


def test_applications_that_raise_give_it_back(store):
    manager = SessionManager(store, lock=True, lock_timeout=LONG)
    sid = begin(store)

    def application(environ, start_response):
        environ["guava.session"]["n"] += 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        WSGISessions(application, manager)({"HTTP_COOKIE": f"guava_sid={sid}"}, None)

    async def app(scope, receive, send):
        scope["session"]["n"] += 1
        raise ZeroDivisionError

    scope = {"type": "http", "scheme": "http"}
    scope["headers"] = [(b"cookie", f"guava_sid={sid}".encode())]
    with pytest.raises(ZeroDivisionError):
        asyncio.run(ASGISessions(app, manager)(scope, None, None))
    session = manager.open(sid)
    assert session["n"] == 0
    manager.commit(session)

    def answering(environ, start_response):
        environ["guava.session"]["n"] += 1
        start_response("200 OK", [])
        return [b"x"]

    # The commit at the head gives it back, and what comes after the head takes it anew.
    for _ in range(2):
        body = WSGISessions(answering, manager)(
            {"HTTP_COOKIE": f"guava_sid={sid}"}, lambda *arguments: None
        )
        list(body)
        body.close()
    assert manager.open(sid)["n"] == 2


def test_a_process_that_dies_gives_it_back(tmp_path):
    with FileStore(tmp_path / "sessions") as store:
        sid = begin(store)
        # Two pipes: from one, the child could read what it has just written itself.
        told, tell = os.pipe()
        until, hold = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(hold)
                held = store.lock(sid, 1)
                os.write(tell, b"y" if held else b"n")
                os.read(until, 1)  # nothing comes: until it is killed, or this process ends
            finally:
                os._exit(1)
        os.close(tell)
        try:
            assert os.read(told, 1) == b"y"
            assert store.lock(sid, 1) is None
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
            for end in (told, until, hold):
                os.close(end)
        word = store.lock(sid, 1)
        assert word is not None
        store.unlock(sid, word)


def test_a_lock_that_was_never_given_back_passes_on():
    locks = Locks()
    old = locks.take("a", 0.0)
    new = locks.take("a", LONG)
    assert old is not None and new is not None
    locks.give("a", old)
    assert locks.take("a", LONG) is None
    locks.give("a", new)
    assert len(locks) == 0


def test_in_sqlite_it_passes_on_by_the_clock(tmp_path):
    now = [1000.0]
    with SQLiteStore(tmp_path / "db", clock=lambda: now[0]) as store:
        sids = [store.generate_id() for _ in range(5)]
        words = [store.lock(sid, 10) for sid in sids]
        assert None not in words and store.lock(sids[0], 10) is None
        now[0] += 10
        word = store.lock(sids[0], 10)
        assert word is not None
        store.unlock(sids[0], words[0])  # the old word opens nothing
        assert store.lock(sids[0], 10) is None


def test_a_store_without_locks_is_refused():
    for store in (CookieStore(b"k" * 32), LayeredStore(Plain())):
        with pytest.raises(ValueError, match="has no locks; use another store, or lock=False"):
            SessionManager(store, lock=True)
    with pytest.raises(ValueError, match="lock_timeout must be more than 0"):
        SessionManager(MemoryStore(), lock=True, lock_timeout=0)


class Plain(SessionStore):
    pass


def test_threads_lose_nothing_across_layers():
    """A copy in front of the back is not what is read under a lock."""
    store = LayeredStore(MemoryStore(), fresh=LONG)
    sid = begin(store)
    other = LayeredStore(store.back, fresh=LONG)
    for layers in (store, other):
        layers.get(sid)  # a copy each
    problems = []

    def count(layers):
        manager = SessionManager(layers, lock=True, lock_timeout=LONG)
        try:
            for _ in range(10):
                session = manager.open(sid)
                session["n"] += 1
                manager.commit(session)
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=count, args=(layers,)) for layers in (store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert store.back.get(sid)["n"] == 20


class AsyncLocks(SessionStore):
    """A dict with locks, which wait where a test tells them to."""

    def __init__(self):
        super().__init__()
        self.rows = {}
        self.kept = Locks()
        self.taking = self.giving = None
        self.reached = asyncio.Event()

    async def set(self, sid, value):
        self.rows[sid] = self.serializer.dumps(value)

    async def get(self, sid):
        return self.serializer.loads(self.rows[sid]) if sid in self.rows else None

    async def delete(self, sid):
        self.rows.pop(sid, None)

    async def clear(self, sid=None):
        self.rows.clear()

    async def lock(self, sid, seconds):
        word = self.kept.take(sid, seconds)
        await self._wait(self.taking)
        return word

    async def unlock(self, sid, word):
        await self._wait(self.giving)
        self.kept.give(sid, word)

    async def _wait(self, event):
        if event is not None:
            self.reached.set()
            await event.wait()


async def until_free(store):
    # What was cancelled is gone; what gives the lock back is another task.
    while len(store.kept):
        await asyncio.sleep(0.001)


async def cancelled(task, times=1):
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("same_turn", [False, True])
def test_a_request_cancelled_while_its_lock_comes_gives_it_back(same_turn):
    async def main():
        store = AsyncLocks()
        manager = SessionManager(store, lock=True, lock_timeout=LONG)
        await store.set("x" * 43, {"n": 0})
        store.taking = asyncio.Event()
        task = asyncio.create_task(manager.open("x" * 43).aload())
        await store.reached.wait()
        if same_turn:
            # The word is there, but the task has not yet got it.
            store.taking.set()
            while task._fut_waiter is not None and not task._fut_waiter.done():
                await asyncio.sleep(0)
        await cancelled(task)
        assert same_turn or len(store.kept) == 1
        store.taking.set()
        await until_free(store)

    asyncio.run(main())


def test_a_request_that_is_cancelled_again_and_again_gives_its_lock_back():
    """As anyio's scopes do it: each await of a cancelled task is cancelled anew."""

    async def main():
        store = AsyncLocks()
        manager = SessionManager(store, lock=True, lock_timeout=LONG)
        await store.set("x" * 43, {"n": 0})
        store.giving = asyncio.Event()

        async def app(scope, receive, send):
            store.reached.set()
            await asyncio.Event().wait()

        scope = {"type": "http", "scheme": "http"}
        scope["headers"] = [(b"cookie", b"guava_sid=" + b"x" * 43)]
        task = asyncio.create_task(ASGISessions(app, manager)(scope, None, None))
        await store.reached.wait()
        await cancelled(task, times=5)
        assert len(store.kept) == 1
        store.giving.set()
        await until_free(store)

    asyncio.run(main())


def test_a_remote_lock_that_comes_when_nobody_waits_is_given_back():
    taken, go_on = threading.Event(), threading.Event()

    class Slow(Remote):
        def lock(self, sid, seconds):
            word = super().lock(sid, seconds)
            taken.set()
            go_on.wait(LONG)
            return word

    async def main():
        store = Slow()
        manager = SessionManager(store, lock=True, lock_timeout=LONG)
        task = asyncio.create_task(manager.open(begin(MemoryStore())).aload())
        await asyncio.to_thread(taken.wait, LONG)
        await cancelled(task)
        assert len(store._locks) == 1
        go_on.set()
        while len(store._locks):
            await asyncio.sleep(0.001)

    try:
        asyncio.run(main())
    finally:
        go_on.set()


def test_a_plain_touch_does_not_stop_the_loop_for_a_lock(store):
    """The one who has it may be a task of the same loop: it could never give it back."""
    sid = begin(store)
    manager = SessionManager(store, lock=True, lock_timeout=LONG)

    async def main():
        first, second = manager.open(sid), manager.open(sid)
        await first.aload()
        with pytest.raises(RuntimeError, match=r"await session\.aload\(\)"):
            second["n"]
        await manager.acommit(first)
        await second.aload()
        assert second["n"] == 0
        await manager.arelease(second)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a remote store stops it as well
        asyncio.run(main())
