"""asyncpg: queries, COPY, cursors, pools, cancellation, LISTEN/NOTIFY, TLS."""

import asyncio
import contextlib
import io
import random

import asyncpg
import pytest


@pytest.fixture(params=["tcp", "unix"])
def connect(request, postgres):
    """connect(**options): a connection, over each kind of socket."""

    def connect(**options):
        host = "127.0.0.1" if request.param == "tcp" else str(postgres.folder)
        options = {"ssl": False} | options
        return asyncpg.connect(
            host=host, port=postgres.port, user="guava", database="postgres", **options
        )

    return connect


@contextlib.asynccontextmanager
async def closing(connecting):
    connection = await connecting
    try:
        yield connection
    finally:
        await connection.close()


def test_queries(run, connect):
    async def main():
        async with closing(connect()) as connection:
            assert await connection.fetchval("select 1 + $1::int", 41) == 42
            rows = await connection.fetch(
                "select i, i::text as t from generate_series(1, 50000) i"
            )
            assert [(row["i"], row["t"]) for row in rows] == [(i, str(i)) for i in range(1, 50001)]
            big = random.randbytes(8 << 20)
            assert await connection.fetchval("select $1::bytea", big) == big
            statement = await connection.prepare("select $1::text || $2::text")
            for number in range(200):
                assert await statement.fetchval("n", str(number)) == f"n{number}"
            with pytest.raises(asyncpg.DivisionByZeroError):
                await connection.fetchval("select 1 / 0")
            assert await connection.fetchval("select 'still here'") == "still here"

    run(main)


def test_transactions_and_cursors(run, connect):
    async def main():
        async with closing(connect()) as connection:
            await connection.execute("create temp table t (n int primary key)")
            with pytest.raises(asyncpg.UniqueViolationError):
                async with connection.transaction():
                    await connection.execute("insert into t values (1)")
                    await connection.execute("insert into t values (1)")
            assert await connection.fetchval("select count(*) from t") == 0
            await connection.executemany("insert into t values ($1)", [(n,) for n in range(5000)])
            async with connection.transaction():
                numbers = [
                    row["n"] async for row in connection.cursor("select n from t order by n")
                ]
            assert numbers == list(range(5000))

    run(main)


def test_copy(run, connect):
    async def main():
        async with closing(connect()) as connection:
            await connection.execute("create temp table t (n int, s text)")
            records = [(n, f"text {n}") for n in range(20000)]
            assert await connection.copy_records_to_table("t", records=records) == "COPY 20000"
            out = io.BytesIO()
            await connection.copy_from_table("t", output=out, format="csv")
            assert out.getvalue().decode() == "".join(f"{n},{s}\n" for n, s in records)
            out.seek(0)
            await connection.execute("truncate t")
            await connection.copy_to_table("t", source=out, format="csv")
            assert await connection.fetchval("select sum(n) from t") == sum(range(20000))

    run(main)


def test_pool(run, postgres):
    async def main():
        async with asyncpg.create_pool(
            host="127.0.0.1",
            port=postgres.port,
            user="guava",
            database="postgres",
            ssl=False,
            min_size=2,
            max_size=8,
        ) as pool:

            async def one(number):
                async with pool.acquire() as connection:
                    await connection.execute("select pg_sleep(0.001)")
                    return await connection.fetchval("select $1::int * 2", number)

            answers = await asyncio.gather(*(one(number) for number in range(300)))
            assert answers == [number * 2 for number in range(300)]
            assert 2 <= pool.get_size() <= 8

    run(main)


def test_cancellation(run, connect):
    """A cancelled query is cancelled in the server, too, over a connection made for it."""

    async def main():
        async with closing(connect()) as connection:
            for _ in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await connection.fetchval("select pg_sleep(3600)", timeout=0.05)
                assert await connection.fetchval("select 'on'") == "on"
            task = asyncio.create_task(connection.fetchval("select pg_sleep(3600)"))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await connection.fetchval("select 'on'") == "on"
            asleep = "select count(*) from pg_stat_activity where query like '%pg_sleep(3600)'"
            assert await connection.fetchval(asleep + " and state = 'active'") == 0

    run(main)


def test_listen_and_notify(run, connect):
    async def main():
        heard = asyncio.Queue()
        async with closing(connect()) as listener, closing(connect()) as speaker:
            await listener.add_listener("news", lambda *told: heard.put_nowait(told[2:]))
            for number in range(50):
                await speaker.execute("select pg_notify('news', $1)", str(number))
            assert [await heard.get() for _ in range(50)] == [("news", str(n)) for n in range(50)]
            await listener.reset()

    run(main)


def test_tls(run, postgres, authority):
    """STARTTLS by hand: asyncpg asks in plain text, then calls loop.start_tls()."""

    async def main():
        async with closing(
            asyncpg.connect(
                host="localhost",
                port=postgres.port,
                user="guava",
                database="postgres",
                ssl=authority.client(),
            )
        ) as connection:
            ask = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
            assert await connection.fetchval(ask) is True
            big = random.randbytes(4 << 20)
            assert await connection.fetchval("select $1::bytea", big) == big

    run(main)


def test_connection_that_the_server_ends(run, connect):
    async def main():
        async with closing(connect()) as killer:
            victim = await connect()
            ended = asyncio.Event()
            victim.add_termination_listener(lambda _: ended.set())
            sleeping = asyncio.create_task(victim.fetchval("select pg_sleep(3600)"))
            await asyncio.sleep(0.05)
            await killer.execute("select pg_terminate_backend($1)", victim.get_server_pid())
            with pytest.raises(asyncpg.ConnectionDoesNotExistError, match="administrator command"):
                await sleeping
            await ended.wait()
            assert victim.is_closed()

    run(main)


def test_nobody_listens(run):
    async def main():
        with pytest.raises(OSError):
            await asyncpg.connect(host="127.0.0.1", port=1, user="guava", database="postgres")

    run(main)
