"""psycopg, async: libpq's own sockets, watched by add_reader() and add_writer()."""

import asyncio
import random

import psycopg
import psycopg_pool
import pytest


@pytest.fixture(params=["tcp", "unix", "tls"])
def info(request, postgres, authority):
    rest = f"port={postgres.port} user=guava dbname=postgres"
    return {
        "tcp": f"host=127.0.0.1 sslmode=disable {rest}",
        "unix": f"host={postgres.folder} {rest}",
        "tls": f"host=localhost sslmode=verify-full sslrootcert={authority.file} {rest}",
    }[request.param]


def connect(info, **options):
    return psycopg.AsyncConnection.connect(info, autocommit=True, **options)


def test_queries(run, info):
    async def main():
        async with await connect(info) as connection:
            cursor = await connection.execute("select 1 + %s::int", (41,))
            assert await cursor.fetchone() == (42,)
            big = random.randbytes(8 << 20)
            cursor = await connection.execute("select %b::bytea", (big,))
            assert (await cursor.fetchone())[0] == big
            with pytest.raises(psycopg.errors.DivisionByZero):
                await connection.execute("select 1 / 0")
            async with connection.cursor(name="named") as named, connection.transaction():
                await named.execute("select generate_series(1, 5000)")
                assert [n async for (n,) in named] == list(range(1, 5001))

    run(main)


def test_pipeline(run, info):
    async def main():
        async with await connect(info) as connection, connection.pipeline():
            cursors = [await connection.execute("select %s::int", (n,)) for n in range(500)]
            assert [(await each.fetchone())[0] for each in cursors] == list(range(500))

    run(main)


def test_copy(run, info):
    async def main():
        async with await connect(info) as connection, connection.cursor() as cursor:
            await cursor.execute("create temp table t (n int, s text)")
            async with cursor.copy("copy t from stdin") as copy:
                for number in range(20000):
                    await copy.write_row((number, f"text {number}"))
            async with cursor.copy("copy t to stdout") as copy:
                rows = b"".join([bytes(part) async for part in copy])
            assert rows.decode() == "".join(f"{n}\ttext {n}\n" for n in range(20000))

    run(main)


def test_pool(run, info):
    async def main():
        pool = psycopg_pool.AsyncConnectionPool(info, min_size=2, max_size=6, open=False)
        async with pool:

            async def one(number):
                async with pool.connection() as connection:
                    cursor = await connection.execute("select %s::int * 2", (number,))
                    return (await cursor.fetchone())[0]

            answers = await asyncio.gather(*(one(number) for number in range(200)))
            assert answers == [number * 2 for number in range(200)]

    run(main)


def test_cancellation(run, info):
    async def main():
        async with await connect(info) as connection:
            task = asyncio.create_task(connection.execute("select pg_sleep(3600)"))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            cursor = await connection.execute("select 'on'")
            assert await cursor.fetchone() == ("on",)
            task = asyncio.create_task(connection.execute("select pg_sleep(3600)"))
            await asyncio.sleep(0.05)
            await connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                await task

    run(main)


def test_listen_and_notify(run, info):
    async def main():
        async with await connect(info) as listener, await connect(info) as speaker:
            await listener.execute("listen news")

            async def speak():
                for number in range(50):
                    await speaker.execute("select pg_notify('news', %s)", (str(number),))

            speaking = asyncio.create_task(speak())
            heard = []
            async for notice in listener.notifies(stop_after=50, timeout=60):
                heard.append(notice.payload)
            assert heard[:50] == [str(number) for number in range(50)]
            await speaking

    run(main)


def test_connection_that_the_server_ends(run, info):
    async def main():
        async with await connect(info) as killer:
            victim = await connect(info)
            sleeping = asyncio.create_task(victim.execute("select pg_sleep(3600)"))
            await asyncio.sleep(0.05)
            await killer.execute("select pg_terminate_backend(%s)", (victim.info.backend_pid,))
            with pytest.raises(psycopg.OperationalError):
                await sleeping
            assert victim.closed
            await victim.close()

    run(main)
