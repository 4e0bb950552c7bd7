"""What goes wrong around sessions: parallel requests in every order, disks, clocks, kills."""

import errno
import itertools
import os
import signal
import time

import pytest
from guava_session import (
    CookieStore,
    FileStore,
    LayeredStore,
    MemoryStore,
    SessionManager,
    SessionStore,
    SQLiteStore,
    generate_id,
)
from guava_session.testing import Clock


class FourMethods(SessionStore):
    """No more than a store must have; it merges by reading and writing."""

    def __init__(self):
        super().__init__()
        self.rows = {}

    def set(self, sid, value):
        self.rows[sid] = self.serializer.dumps(value)

    def get(self, sid):
        return self.serializer.loads(self.rows[sid]) if sid in self.rows else None

    def delete(self, sid):
        self.rows.pop(sid, None)


# ---- two requests of one session, in every order of what they ask the store -------------------


def steps_of(session, *names):
    """The steps of these methods of a session, one after the other, and of saving it."""
    for name in (*names, "_saving"):
        if callable(name):
            name(session)
        else:
            word, *arguments = name if isinstance(name, tuple) else (name,)
            yield from getattr(session, word)(*arguments)


def orders(make):
    """Run two generators of steps in every order; make() gives both and what to do at the end."""

    def run(order):
        first, second, end = make()
        going, results = [first, second], [None, None]
        for number in itertools.chain(order, itertools.cycle((0, 1))):
            if going[number] is not None:
                try:
                    _, call = going[number].send(results[number])
                    results[number] = call()
                except StopIteration:
                    going[number] = None
            if going == [None, None]:
                break
        end()

    count = 0
    for order in itertools.product((0, 1), repeat=7):
        run(order)
        count += 1
    assert count == 128


def begin(manager, user=None, **values):
    session = manager.open(None)
    session.update(values)
    if user is not None:
        session.bind(user)
    return manager.commit(session).value


def opened(manager, sid):
    session = manager.open(sid)
    session.load()
    return session


@pytest.fixture(params=[MemoryStore, FourMethods])
def manager(request):
    return SessionManager(request.param())


def test_what_runs_beside_a_logout_does_not_undo_it(manager, monkeypatch):
    events = []
    for name in ("delete", "take"):
        real = getattr(manager.store, name)
        monkeypatch.setattr(
            manager.store, name, lambda sid, n=name, do=real: (events.append(n), do(sid))[1]
        )

    def change(session):
        session["cart"] = [1, 2]

    for others in ((change,), ("_rotating",), (change, "_rotating"), (("_binding", "anna"),)):
        if type(manager.store) is FourMethods and others == (change,):
            continue  # its merge may write after the delete; see test_conformance

        def make(others=others):
            sid = begin(manager, "anna", cart=[1])
            leaving, staying = opened(manager, sid), opened(manager, sid)
            events.clear()

            def end():
                assert opened(manager, sid).new, "the id that was logged out"
                if others == (("_binding", "anna"),):
                    return  # that is a new login of its own
                # A rotation that came before is another session's id, which a logout of this one
                # does not know.
                if events[0] == "delete" and staying._sid is not None:
                    assert opened(manager, staying._sid).user_id is None

            return steps_of(leaving, "_destroying"), steps_of(staying, *others), end

        orders(make)


def test_two_rotations_at_once_leave_one_heir():
    """Who comes second has nothing of it but what it has written itself."""
    manager = SessionManager(MemoryStore())

    def make():
        sid = begin(manager, "anna", cart=[1])
        sessions = [opened(manager, sid) for _ in range(2)]

        def end():
            assert opened(manager, sid).new
            heirs = [opened(manager, session._sid) for session in sessions]
            assert sorted(str(heir.user_id) for heir in heirs) == ["None", "anna"]
            assert sorted(len(heir) for heir in heirs) == [0, 1]

        return (*(steps_of(session, "_rotating") for session in sessions), end)

    orders(make)


def test_signing_out_everywhere_wins_over_a_login(manager):
    def make():
        begin(manager, "anna")  # she has an epoch
        sid = begin(manager, "anna")
        ending, coming = opened(manager, sid), opened(manager, begin(manager, cart=[1]))
        login = steps_of(coming, ("_binding", "anna"))

        def end():
            assert opened(manager, sid).expired or opened(manager, sid).new
            # Either the login came after it and holds, or it came before and has ended: never is
            # one valid that has the old epoch.
            assert opened(manager, coming._sid).user_id in ("anna", None)

        return steps_of(ending, "_ending_everywhere"), login, end

    orders(make)


def test_different_keys_all_survive():
    manager = SessionManager(MemoryStore())

    def make():
        sid = begin(manager, start=1)
        sessions = [opened(manager, sid) for _ in range(2)]
        for number, session in enumerate(sessions):
            session[f"key{number}"] = number
            session.flash(str(number))

        def end():
            session = opened(manager, sid)
            assert dict(session) == {"start": 1, "key0": 0, "key1": 1}
            assert {flash.message for flash in session.flashes()} == {"0", "1"}

        return (*(steps_of(session) for session in sessions), end)

    orders(make)


# ---- disks -------------------------------------------------------------------------------------

CALLS = ("open", "write", "rename", "mkdir", "unlink", "read", "close", "fstat")
OPERATIONS = {
    "set new": lambda store, sid: store.set(generate_id(), {"new": "x" * 5000}),
    "set": lambda store, sid: store.set(sid, {"n": 2}),
    "merge": lambda store, sid: store.merge(sid, {"n": 2}),
    "take": lambda store, sid: store.take(sid),
    "delete": lambda store, sid: store.delete(sid),
    "touch": lambda store, sid: store.touch(sid),
    "get": lambda store, sid: store.get(sid),
    "lock": lambda store, sid: store.unlock(sid, store.lock(sid, 1)),
}


def descriptors(store):
    store._walk = None  # the sweeper has the folder open that it is in
    return set(os.listdir("/dev/fd"))


@pytest.mark.parametrize("code", ["ENOSPC", "EIO", "EMFILE", "EROFS"])
@pytest.mark.parametrize("what", OPERATIONS)
def test_a_disk_that_fails_at_any_call(tmp_path, monkeypatch, what, code):
    clock = Clock()
    with FileStore(tmp_path / "sessions", fsync=False, lifetime=100, clock=clock) as store:
        sid, other = generate_id(), generate_id()
        operation = OPERATIONS[what]
        for n in itertools.count():
            for one in (sid, other):
                store.set(one, {"n": 1})
            clock.now += 20  # so that touch() writes
            before = descriptors(store)
            calls = failed = 0

            def failing(name, real, n=n):
                def call(*arguments, **options):
                    nonlocal calls, failed
                    calls += 1
                    if calls == n + 1:
                        failed = 1
                        if name == "close":
                            real(*arguments, **options)  # the kernel has closed it all the same
                        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))
                    return real(*arguments, **options)

                return call

            with monkeypatch.context() as patch:
                for name in CALLS:
                    patch.setattr(os, name, failing(name, getattr(os, name)))
                try:
                    operation(store, sid)
                except OSError as error:
                    assert error.errno == getattr(errno, code)
            assert descriptors(store) == before, "no descriptor is left"
            assert store.get(other) == {"n": 1}
            assert store.get(sid) in ({"n": 1}, {"n": 2}, None)
            if what not in ("take", "delete"):
                assert store.get(sid) is not None
            if not failed:
                break
        assert n > 2, "there were calls to fail"
        # What was half done is swept up in the end.
        store.sweep(3000)
        left = [name for _, _, names in os.walk(store.directory) for name in names]
        assert not [name for name in left if name.startswith(".")]


# ---- clocks ------------------------------------------------------------------------------------

DAY = 24 * 3600.0
STORES = {
    "memory": lambda path, clock: MemoryStore(lifetime=DAY, clock=clock),
    "file": lambda path, clock: FileStore(path / "files", lifetime=DAY, clock=clock),
    "sqlite": lambda path, clock: SQLiteStore(path / "db", lifetime=DAY, clock=clock),
    "layers": lambda path, clock: LayeredStore(
        MemoryStore(lifetime=DAY, clock=clock), clock=clock
    ),
    "cookie": lambda path, clock: CookieStore(b"k" * 32, lifetime=DAY, clock=clock),
}


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("back", [1.0, 3600.0, 10 * DAY, 1e9])
def test_a_clock_that_is_set_back_ends_nothing(tmp_path, name, back):
    clock = Clock()
    with STORES[name](tmp_path, clock) as store:
        manager = SessionManager(
            store, clock=clock, idle_timeout=DAY / 2, absolute_timeout=3 * DAY, max_age=1000
        )
        sid = begin(manager, n=1)
        clock.now -= back
        session = opened(manager, sid)
        assert session["n"] == 1 and not session.expired
        session["n"] = 2
        cookie = manager.commit(session)
        sid = cookie.value
        # From then on its time runs by the clock that there is.
        clock.now += DAY / 2 - 1
        session = opened(manager, sid)
        assert session["n"] == 2
        session["n"] = 3
        sid = manager.commit(session).value
        clock.now += DAY / 2
        assert opened(manager, sid).new


@pytest.mark.parametrize("back", [3600.0, 10 * DAY])
def test_the_absolute_end_comes_after_the_clock_was_set_back(back):
    clock = Clock()
    manager = SessionManager(
        MemoryStore(lifetime=100 * DAY), clock=clock, absolute_timeout=3 * DAY
    )
    sid = begin(manager, n=1)
    clock.now -= back
    for _ in range(6):
        session = opened(manager, sid)
        session["n"] += 1
        manager.commit(session)
        clock.now += DAY / 2
    assert opened(manager, sid).expired


@pytest.mark.parametrize("name", STORES)
def test_a_clock_that_is_set_forward_ends_all_that_is_too_old(tmp_path, name):
    clock = Clock()
    with STORES[name](tmp_path, clock) as store:
        manager = SessionManager(store, clock=clock)
        sid = begin(manager, n=1)
        clock.now += 1e9
        assert opened(manager, sid).new
        assert opened(manager, begin(manager, n=2))["n"] == 2


# ---- kills -------------------------------------------------------------------------------------


def test_sqlite_under_processes_that_are_killed(tmp_path):
    """At random points, because a database's writes are not ours to count."""
    path = tmp_path / "sessions.db"
    with SQLiteStore(path, timeout=60) as store:
        sid = generate_id()
        store.set(sid, {"a": 0, "b": 0})
    for turn in range(12):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with SQLiteStore(path, timeout=60) as mine:
                    os.write(write, b"x")
                    for number in itertools.count(1):
                        mine.merge(sid, {"a": number, "b": number})
                        mine.set(generate_id(), {"n": number})
            finally:
                os._exit(1)
        assert os.read(read, 1) == b"x"
        time.sleep(0.001 * turn)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)
        os.close(write)
        with SQLiteStore(path, timeout=60) as store:
            found = store.get(sid)
            assert found["a"] == found["b"]
            assert store.merge(sid, {"turn": turn}) and store.get(sid)["turn"] == turn
            assert all(set(record) >= {"n"} or "a" in record for _, record in store.iterate())
