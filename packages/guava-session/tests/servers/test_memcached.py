"""MemcachedStore, on memcached itself: what all stores promise, and what is memcached's own."""

import itertools
import os

import pytest
from guava_session import MemcachedStore, SessionManager, StoreError, storage_key
from guava_session.testing import StoreConformance
from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheUnexpectedCloseError

_prefixes = (f"test{number}:" for number in itertools.count())


class TestMemcached(StoreConformance):
    follows_clock = atomic = True

    @pytest.fixture(autouse=True)
    def server(self, memcached_server):
        self.address = memcached_server.address

    def make(self, lifetime, clock):
        self.prefix = next(_prefixes)
        return MemcachedStore(
            self.address, lifetime=lifetime, prefix=self.prefix, timeout=30, clock=clock
        )

    def reopen(self, store, clock):
        return MemcachedStore(self.address, prefix=self.prefix, timeout=30, clock=clock)


class TestByItsClock(TestMemcached):
    """The same by the time of the clock on the wall."""

    follows_clock = False


@pytest.fixture
def store(memcached_server):
    with MemcachedStore(memcached_server.address, prefix=next(_prefixes), timeout=30) as store:
        yield store


@pytest.fixture
def client(memcached_server):
    client = Client(memcached_server.address)
    yield client
    client.close()


def test_the_server_holds_no_id(store, client):
    sid = store.generate_id()
    store.set(sid, {"user": "anna"})
    blob = client.get(store._prefix + storage_key(sid))
    assert b"anna" in blob and sid.encode() not in blob
    assert client.get(store._prefix + sid) is None


@pytest.mark.parametrize("lifetime", [0.5, 60, 40 * 24 * 3600, 1e9, float("inf")])
def test_any_lifetime(memcached_server, client, lifetime):
    """Times of more than thirty days mean something else to memcached."""
    with MemcachedStore(
        memcached_server.address, lifetime=lifetime, prefix=next(_prefixes), clock=lambda: 0.0
    ) as store:
        sid = store.generate_id()
        store.set(sid, {"a": 1})
        assert store.get(sid) == {"a": 1}
        meta = client.raw_command(b"me " + (store._prefix + storage_key(sid)).encode())
        exp = int(dict(word.split(b"=") for word in meta.split()[2:])[b"exp"])
        if lifetime > 100 * 365 * 24 * 3600 or lifetime == 1e9:
            assert exp == -1  # never
        else:
            assert lifetime <= abs(exp) <= lifetime + 4  # old versions write it as seconds ago


def test_clearing_leaves_what_is_others(memcached_server, store, client):
    client.set("other", b"x", noreply=False)
    with MemcachedStore(memcached_server.address, prefix=next(_prefixes)) as other:
        mine, theirs = store.generate_id(), other.generate_id()
        store.set(mine, {"a": 1})
        other.set(theirs, {"b": 2})
        store.clear()
        assert store.get(mine) is None and not store.merge(mine, {"c": 3})
        assert other.get(theirs) == {"b": 2} and client.get("other") == b"x"


def test_an_old_generation_does_not_come_back(store, client):
    """The server may lose the word that says which sessions were cleared."""
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    store.clear()
    client.delete(store._generation_key, noreply=False)
    assert store.get(sid) is None
    store.set(sid, {"a": 2})
    assert store.get(sid) == {"a": 2}


def test_only_one_takes_it_and_nothing_comes_back(store):
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    assert store.take(sid) == {"a": 1}
    assert store.take(sid) is None and not store.merge(sid, {"b": 2}) and not store.touch(sid)


def test_what_does_not_fit(store, memcached_server):
    sid = store.generate_id()
    with pytest.raises(ValueError, match="its largest key is 'photo', with 2000"):
        store.set(sid, {"a": 1, "photo": "x" * 2_000_000})
    with MemcachedStore(
        memcached_server.address, prefix=next(_prefixes), max_value_bytes=1 << 30
    ) as other:
        with pytest.raises(ValueError, match="larger than memcached takes"):
            other.set(sid, {"photo": "x" * 2_000_000})
        other.set(sid, {"a": 1})
        assert other.get(sid) == {"a": 1}


def test_what_others_wrote_there_is_no_session(store, client):
    sid = store.generate_id()
    key = store._prefix + storage_key(sid)
    store.set(sid, {"a": 1})
    blob = client.get(key)
    for junk in (b"", b"x", blob[:-3], blob[:16], blob[:16] + b"[]", b"\0" * 16 + blob[16:]):
        client.set(key, junk, noreply=False)
        assert store.get(sid) is None
        assert SessionManager(store).open(sid).new


def test_a_forked_process_has_connections_of_its_own(store):
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, repr([store.get(sid) for _ in range(50)] == [{"a": 1}] * 50).encode())
        finally:
            os._exit(0)
    assert [store.get(sid) for _ in range(50)] == [{"a": 1}] * 50
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"True"
    os.close(read)
    os.close(write)


def test_bad_words_are_refused():
    for server in ("", "host", ":1", "host:", "host:x"):
        with pytest.raises(ValueError, match="server must be host:port"):
            MemcachedStore(server)
    for prefix in ("a b", "ü", "x" * 151, "a\n"):
        with pytest.raises(ValueError, match="prefix must be"):
            MemcachedStore(prefix=prefix)


def test_one_that_does_not_answer_is_an_error():
    store = MemcachedStore("127.0.0.1:1")
    for call in (
        lambda: store.get("a"),
        lambda: store.set("a", {}),
        lambda: store.delete("a"),
        lambda: store.clear(),
        lambda: store.merge("a", {}),
        lambda: store.take("a"),
        lambda: store.lock("a", 1),
    ):
        with pytest.raises(StoreError, match="memcached: "):
            call()


def test_a_restart_is_no_error_whatever_comes_first(serve):
    server = serve("memcached")
    with MemcachedStore(server.address, timeout=30) as store:
        sid = store.generate_id()
        for call in (
            lambda: store.delete(sid),
            lambda: store.lock(sid, 1),
            lambda: store.clear(),
            lambda: store.set(sid, {"a": 1}),
            lambda: store.get(sid),
        ):
            store.set(sid, {"a": 1})
            server.stop()
            server.start()
            call()


@pytest.mark.parametrize("word", ["set", "cas", "delete", "add"])
def test_what_may_have_been_done_is_not_done_again(store, word):
    """The connection breaks when the server has done it and before it says so."""
    asked = []

    class Breaks(Client):
        pass

    def breaks(client, *arguments, **options):
        getattr(Client, word)(client, *arguments, **options)
        asked.append(arguments)
        raise MemcacheUnexpectedCloseError

    setattr(Breaks, word, breaks)
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    store._forget()
    store._connect = Breaks
    call = {
        "set": lambda: store.set(sid, {"a": 2}),
        "cas": lambda: store.merge(sid, {"a": 2}),
        "delete": lambda: store.delete(sid),
        "add": lambda: store.lock(sid, 60),
    }[word]
    with pytest.raises(StoreError, match="memcached: "):
        call()
    assert len(asked) == 1
    store._connect = Client
    assert store.get(sid) == {"set": {"a": 2}, "cas": {"a": 2}, "add": {"a": 1}}.get(word)
