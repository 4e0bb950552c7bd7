"""RedisStore, on Redis itself: what all stores promise, and what a server does to one."""

import asyncio
import itertools
import signal
import threading
import time

import pytest
import redis
import redis.asyncio
from guava_session import (
    AsyncRedisStore,
    LayeredStore,
    RedisStore,
    SessionManager,
    StoreError,
    storage_key,
)
from guava_session.testing import StoreConformance

_prefixes = (f"test{number}:" for number in itertools.count())


class TestRedis(StoreConformance):
    atomic = True

    @pytest.fixture(autouse=True)
    def server(self, redis_server):
        self.url = redis_server.url

    def make(self, lifetime, clock):
        self.prefix = next(_prefixes)
        return RedisStore(self.url, lifetime=lifetime, prefix=self.prefix, timeout=30)

    def reopen(self, store, clock):
        return RedisStore(self.url, prefix=self.prefix, timeout=30)


class TestAClientOfOnesOwn(TestRedis):
    def make(self, lifetime, clock):
        self.prefix = next(_prefixes)
        client = redis.Redis.from_url(self.url, decode_responses=True)
        return RedisStore(client, lifetime=lifetime, prefix=self.prefix)


class TestAsyncRedis(TestRedis):
    def make(self, lifetime, clock):
        self.prefix = next(_prefixes)
        return AsyncRedisStore(self.url, lifetime=lifetime, prefix=self.prefix, timeout=30)

    def reopen(self, store, clock):
        return AsyncRedisStore(self.url, prefix=self.prefix, timeout=30)


class TestLayersOverAsyncRedis(TestAsyncRedis):
    def make(self, lifetime, clock):
        return LayeredStore(super().make(lifetime, clock), fresh=0)

    reopen = StoreConformance.reopen


class TestBothFormsOnOneServer(TestRedis):
    """What the one wrote the other reads."""

    def reopen(self, store, clock):
        return AsyncRedisStore(self.url, prefix=self.prefix, timeout=30)


def test_each_event_loop_has_connections_of_its_own(redis_server):
    store = AsyncRedisStore(redis_server.url, prefix=next(_prefixes), timeout=30)
    manager = SessionManager(store)
    sid = None

    async def visit():
        nonlocal sid
        session = manager.open(sid)
        await session.aload()
        session["n"] = session.get("n", 0) + 1
        cookie = await manager.acommit(session)
        sid = sid or cookie.value
        found = [key async for key, _ in store.iterate()]
        assert len(found) == 1
        await store.close()
        await store.close()
        return session["n"]

    assert [asyncio.run(visit()) for _ in range(3)] == [1, 2, 3]
    assert manager.open(sid)["n"] == 3


def test_what_does_not_answer_is_an_error_there_too():
    async def main():
        store = AsyncRedisStore("redis://127.0.0.1:1/0")
        with pytest.raises(StoreError, match="Redis: "):
            await store.get("a")

    asyncio.run(main())


@pytest.fixture
def store(redis_server):
    with RedisStore(redis_server.url, prefix=next(_prefixes), timeout=30) as store:
        yield store


@pytest.fixture
def client(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


def test_the_server_holds_no_id_and_forgets_by_itself(store, client):
    sid = store.generate_id()
    store.set(sid, {"user": "anna"})
    (key,) = client.keys(f"{store._prefix}*")
    assert key.decode() == store._prefix + storage_key(sid)
    assert 0 < client.pttl(key) <= store.lifetime * 1000
    assert sid.encode() not in b"".join(itertools.chain(*client.hgetall(key).items()))


def test_a_lifetime_without_end(redis_server, client):
    with RedisStore(redis_server.url, lifetime=float("inf"), prefix=next(_prefixes)) as store:
        sid = store.generate_id()
        store.set(sid, {"a": 1})
        assert client.pttl(store._key(sid)) == -1 and store.touch(sid)
        assert not store.touch(store.generate_id())


def test_a_merge_is_one_round_trip_and_writes_what_changed(store, client):
    sid = store.generate_id()
    store.set(sid, {"big": "x" * 100_000, "n": 1})
    store.merge(sid, {"n": 2})  # the script is known to the server now
    before = client.info("commandstats")
    traffic = client.info("stats")["total_net_input_bytes"]
    store.merge(sid, {"n": 3}, ["gone"])
    after = client.info("commandstats")
    assert after["cmdstat_evalsha"]["calls"] - before["cmdstat_evalsha"]["calls"] == 1
    assert (
        after["cmdstat_hgetall"]["calls"] == before["cmdstat_hgetall"]["calls"]
        if ("cmdstat_hgetall" in before)
        else "cmdstat_hgetall" not in after
    )
    assert client.info("stats")["total_net_input_bytes"] - traffic < 2000
    assert store.get(sid) == {"big": "x" * 100_000, "n": 3}


def test_iterate_and_clear_see_their_own_prefix_only(redis_server, client):
    stores = [RedisStore(redis_server.url, prefix=prefix) for prefix in ("a*:", "a?:", "ab:", "a")]
    kept = {}
    for store in stores[:3]:
        kept[store._prefix] = sid = store.generate_id()
        store.set(sid, {"a": store._prefix})
    assert [record for _, record in stores[0].iterate()] == [{"a": "a*:"}]
    stores[0].clear()
    assert stores[0].get(kept["a*:"]) is None
    assert stores[1].get(kept["a?:"]) and stores[2].get(kept["ab:"])
    for store in stores:
        store.clear()
        store.close()


def test_what_does_not_suit_is_no_session(store, client, caplog):
    sid = store.generate_id()
    client.hset(store._key(sid), ".a", "{")
    assert store.get(sid) is None and list(store.iterate()) == []
    assert "does not suit the serializer" in caplog.text and sid not in caplog.text


def test_a_key_of_another_type_is_an_error(store, client):
    sid = store.generate_id()
    client.set(store._key(sid), "text")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        store.get(sid)


def test_no_server_is_an_error_and_no_stranger():
    with RedisStore("redis://127.0.0.1:1/0", timeout=2) as store:
        manager = SessionManager(store)
        session = manager.open(store.generate_id())
        with pytest.raises(StoreError, match="Redis: "):
            session.get("user")
        for call in (
            lambda: store.set("a", {}),
            lambda: store.delete("a"),
            lambda: store.clear(),
            lambda: store.merge("a", {}),
            lambda: store.take("a"),
            lambda: store.touch("a"),
            lambda: list(store.iterate()),
        ):
            with pytest.raises(StoreError):
                call()


def test_a_server_that_does_not_answer_is_not_waited_for_long(redis_server):
    with RedisStore(redis_server.url, prefix=next(_prefixes), timeout=0.2) as store:
        store.get("a")
        redis_server.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(StoreError, match=r"[Tt]ime"):
                store.get("a")
        finally:
            redis_server.process.send_signal(signal.SIGCONT)


def test_a_restart_is_survived(redis_server):
    with RedisStore(redis_server.url, prefix=next(_prefixes), timeout=30) as store:
        sid = store.generate_id()
        store.set(sid, {"a": 1})
        redis_server.stop()
        with pytest.raises(StoreError):
            store.get(sid)
        redis_server.start()
        assert store.get(sid) == {"a": 1} and store.merge(sid, {"b": 2})
        redis_server.stop()
        redis_server.start()
        # The connection is the old server's, and nobody has to know.
        assert store.get(sid) == {"a": 1, "b": 2}


def test_restarts_under_load_lose_nothing_that_was_promised(redis_server):
    """Who got an answer finds what was written; who got an error may or may not."""
    with RedisStore(redis_server.url, prefix=next(_prefixes), timeout=30) as store:
        sid, done, promised = store.generate_id(), threading.Event(), []
        store.set(sid, {"begin": True})

        def write(name):
            for number in itertools.count():
                if done.is_set():
                    return
                try:
                    assert store.merge(sid, {f"{name}{number}": number})
                except StoreError:
                    time.sleep(0.01)
                else:
                    promised.append((f"{name}{number}", number))

        threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        try:
            for sent in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
                count = len(promised)
                deadline = time.monotonic() + 60
                while len(promised) < count + 20 and time.monotonic() < deadline:
                    time.sleep(0.01)
                redis_server.stop(sent)
                time.sleep(0.1)
                redis_server.start()
        finally:
            done.set()
            for thread in threads:
                thread.join()
        found = store.get(sid)
        assert len(promised) >= 60
        assert [name for name, number in promised if found.get(name) != number] == []


@pytest.mark.parametrize("problem", [redis.ConnectionError, redis.TimeoutError])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_may_have_been_done_is_not_done_again(redis_server, monkeypatch, kind, problem):
    """The server has taken the session, and the answer does not come: that is not None."""
    prefix = next(_prefixes)
    with RedisStore(redis_server.url, prefix=prefix, timeout=30) as store:
        sid = store.generate_id()
        store.set(sid, {"a": 1})
        assert store.take(sid) == {"a": 1}  # the server knows the script now
        store.set(sid, {"a": 1})
        broken = []

        def breaks(answer):
            if isinstance(answer, list) and not broken:
                broken.append(answer)
                raise problem("the answer got lost")
            return answer

        if kind == "sync":
            connections = redis.connection.AbstractConnection
            read = connections.read_response
            monkeypatch.setattr(
                connections, "read_response", lambda *a, **k: breaks(read(*a, **k))
            )
            with pytest.raises(StoreError, match="got lost"):
                store.take(sid)
        else:
            connections = redis.asyncio.connection.AbstractConnection
            aread = connections.read_response

            async def read_response(*arguments, **options):
                return breaks(await aread(*arguments, **options))

            monkeypatch.setattr(connections, "read_response", read_response)

            async def take():
                other = AsyncRedisStore(redis_server.url, prefix=prefix, timeout=30)
                try:
                    await other.take(sid)
                finally:
                    await other.close()

            with pytest.raises(StoreError, match="got lost"):
                asyncio.run(take())
        assert len(broken) == 1 and store.get(sid) is None
