"""What servers of stores do to people: they stop, die, freeze and come back, under load."""

import signal
import threading
import time

import pytest
from guava_session import (
    AsyncRedisStore,
    LayeredStore,
    MemcachedStore,
    RedisStore,
    SessionManager,
    SQLAlchemyStore,
    StoreError,
)

LONG = 60.0  # seconds; nothing takes that long unless it hangs
VISITORS = 4

# What is served, how a store asks it, and whether it promises to keep what was saved.
PLACES = {
    "Redis": ("Redis", lambda s: RedisStore(s.url, timeout=1.0), True),
    "Redis, async": ("Redis", lambda s: AsyncRedisStore(s.url, timeout=1.0), True),
    "PostgreSQL": (
        "PostgreSQL",
        lambda s: SQLAlchemyStore(s.url, timeout=1.0, create=False),
        True,
    ),
    "memcached": ("memcached", lambda s: MemcachedStore(s.address, timeout=1.0), False),
}


def stop(server):
    server.stop()
    server.start()


def kill(server):
    # The signal that PostgreSQL's parent process gets ends its children a moment later.
    server.stop(signal.SIGKILL)
    end = time.monotonic() + LONG
    while True:
        try:
            server.start()
            return
        except AssertionError:
            assert time.monotonic() < end
            time.sleep(0.2)


def freeze(server):
    server.signal_all(signal.SIGSTOP)
    time.sleep(4)
    server.signal_all(signal.SIGCONT)


@pytest.fixture(params=PLACES)
def place(request, serve):
    name, make, keeps = PLACES[request.param]
    server = serve(name)
    if name == "PostgreSQL":
        SQLAlchemyStore(server.url, timeout=LONG).close()  # its tables
    return server, make, keeps


class Visitor(threading.Thread):
    """Comes again and again, each time with a higher number."""

    def __init__(self, manager):
        super().__init__()
        self.manager = manager
        self.saved = self.tried = 0
        self.errors = self.lost = 0
        self.problem = None
        self.ended = threading.Event()
        self.sid = self.begin()

    def begin(self):
        session = self.manager.open(None)
        session["n"] = self.tried
        cookie = self.manager.commit(session)
        return None if cookie is None else cookie.value

    def run(self):
        try:
            while not self.ended.is_set():
                self.visit()
        except Exception as problem:
            self.problem = problem

    def visit(self):
        session = self.manager.open(self.sid)
        try:
            if session.new:
                self.lost += 1
                self.saved = self.tried
                self.sid = self.begin() or self.sid
                return
            assert self.saved <= session["n"] <= self.tried, "what was saved is there"
            self.tried += 1
            session["n"] = self.tried
            self.manager.commit(session)
            if session.save_error is None:
                self.saved = self.tried
            else:
                self.errors += 1
        except StoreError:
            self.errors += 1
            time.sleep(0.01)


@pytest.mark.parametrize("happens", [stop, kill, freeze])
def test_under_load(place, happens):
    server, make, keeps = place
    with make(server) as store:
        manager = SessionManager(store)
        visitors = [Visitor(manager) for _ in range(VISITORS)]
        for visitor in visitors:
            visitor.start()
        try:
            for _ in range(2):
                all_get_on(visitors)
                happens(server)
            all_get_on(visitors)  # without anybody's help
        finally:
            for visitor in visitors:
                visitor.ended.set()
            for visitor in visitors:
                visitor.join(LONG)
        assert [visitor.problem for visitor in visitors] == [None] * VISITORS
        if keeps or happens is freeze:
            assert [visitor.lost for visitor in visitors] == [0] * VISITORS
        if happens is freeze:
            assert sum(visitor.errors for visitor in visitors) > 0, "the time-out comes"


def all_get_on(visitors):
    before = [visitor.saved for visitor in visitors]
    end = time.monotonic() + LONG
    while not all(v.saved > was for v, was in zip(visitors, before, strict=True)):
        assert time.monotonic() < end, "nobody gets on"
        time.sleep(0.01)


def test_a_copy_while_it_is_away(place):
    server, make, keeps = place
    with LayeredStore(make(server), fresh=0, stale_if_down=LONG) as store:
        manager = SessionManager(store)
        session = manager.open(None)
        session.bind("anna")
        sid = manager.commit(session).value
        assert manager.open(sid).user_id == "anna"
        server.stop()
        session = manager.open(sid)
        assert session.user_id == "anna"
        session["n"] = 1
        assert manager.commit(session) is None
        assert isinstance(session.save_error, StoreError)
        server.start()
        session = manager.open(sid)
        assert session.new is not keeps


def test_nobody_is_a_stranger_because_it_is_down(place):
    server, make, _ = place
    with make(server) as store:
        manager = SessionManager(store)
        session = manager.open(None)
        session["n"] = 1
        sid = manager.commit(session).value
        server.stop()
        for _ in range(3):
            with pytest.raises(StoreError):
                manager.open(sid)["n"]
        session = manager.open(None)
        session["n"] = 1
        assert manager.commit(session) is None
        assert isinstance(session.save_error, StoreError)
