"""redis.asyncio: pipelines, publish and subscribe, blocking pops, a server that is killed."""

import asyncio
import os
import signal

import pytest
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError, WatchError


@pytest.fixture(params=["tcp", "unix"])
def client(request, redis_server):
    """client(**options): a client with its pool; over each kind of socket."""

    def client(**options):
        if request.param == "tcp":
            return redis.Redis(host="127.0.0.1", port=redis_server.port, **options)
        return redis.Redis(unix_socket_path=str(redis_server.socket), **options)

    return client


def test_commands(run, client):
    async def main():
        async with client() as r:
            await r.flushall()
            assert await r.ping() is True
            big = os.urandom(8 << 20)
            await r.set("big", big)
            assert await r.get("big") == big
            assert await r.get("nothing") is None
            with pytest.raises(ResponseError):
                await r.incr("big")
            for number in range(300):
                assert await r.incr("n") == number + 1
            await r.rpush("list", *range(10000))
            assert await r.lrange("list", 0, -1) == [b"%d" % n for n in range(10000)]

    run(main)


def test_pipelines_and_transactions(run, client):
    async def main():
        async with client(decode_responses=True) as r:
            await r.flushall()
            async with r.pipeline(transaction=False) as pipe:
                for number in range(5000):
                    pipe.set(f"k{number}", number).get(f"k{number}")
                assert await pipe.execute() == [x for n in range(5000) for x in (True, str(n))]
            async with r.pipeline() as pipe:
                await pipe.watch("k1")
                await r.set("k1", "changed meanwhile")
                pipe.multi()
                pipe.set("k1", "mine")
                with pytest.raises(WatchError):
                    await pipe.execute()
            double = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
            assert await double(keys=["counted"], args=[21]) == 21

    run(main)


def test_many_at_once(run, client):
    async def main():
        async with client(max_connections=20) as r:
            await r.flushall()
            gate = asyncio.Semaphore(20)

            async def one():
                async with gate:
                    return await r.incr("n")

            assert sorted(await asyncio.gather(*(one() for _ in range(500)))) == list(
                range(1, 501)
            )

    run(main)


def test_publish_and_subscribe(run, client):
    async def main():
        async with client() as r, r.pubsub() as pubsub:
            await pubsub.subscribe("one")
            await pubsub.psubscribe("t*")
            kinds = [(await pubsub.get_message(timeout=10))["type"] for _ in range(2)]
            assert kinds == ["subscribe", "psubscribe"]
            for number in range(100):
                await r.publish("one", f"1:{number}")
                await r.publish("two", f"2:{number}")
            got = []
            while len(got) < 200:
                message = await pubsub.get_message(timeout=10)
                got.append(message["data"].decode())
            assert got == [f"{k}:{n}" for n in range(100) for k in (1, 2)]
            assert await pubsub.get_message(timeout=0.01) is None

    run(main)


def test_blocking_pop_cancelled(run, client):
    async def main():
        async with client() as r:
            await r.flushall()
            task = asyncio.create_task(r.blpop("queue", timeout=0))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # What comes now is not lost to the one who left.
            while any(each["cmd"] == "blpop" for each in await r.client_list()):
                await asyncio.sleep(0.001)
            popping = asyncio.create_task(r.blpop("queue", timeout=10))
            await r.rpush("queue", "job")
            assert tuple(await popping) == (b"queue", b"job")  # a list with RESP3
            with pytest.raises(asyncio.TimeoutError):
                async with asyncio.timeout(0.05):
                    await r.blpop("queue", timeout=0)

    run(main)


def test_server_killed_and_back(run, client, redis_server):
    async def main():
        retry = Retry(ConstantBackoff(0.05), 100)
        async with client(retry=retry, retry_on_error=[RedisConnectionError, OSError]) as r:
            assert await r.set("a", "1")
            waiting = asyncio.create_task(r.blpop("never", timeout=0.5))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(redis_server.end, signal.SIGKILL)
            starting = asyncio.create_task(asyncio.to_thread(redis_server.start))
            assert await r.get("a") is None  # a new server, a new connection
            assert await waiting is None
            await starting
        async with client(retry=Retry(ConstantBackoff(0), 0)) as r:
            assert await r.ping()
            await r.connection_pool.disconnect()
            assert await r.ping()

    run(main)


def test_nobody_listens(run):
    async def main():
        async with redis.Redis(host="127.0.0.1", port=1, retry=Retry(ConstantBackoff(0), 0)) as r:
            with pytest.raises(RedisConnectionError):
                await r.ping()

    run(main)
