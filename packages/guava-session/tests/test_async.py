"""Stores of async def methods, and sessions on an event loop."""

import asyncio
import os
import threading
import warnings

import pytest
from guava_session import (
    ASGISessions,
    CookieStore,
    LayeredStore,
    MemoryStore,
    SessionManager,
    SessionStore,
    StoreError,
    WSGISessions,
)


class AsyncStore(SessionStore):
    """Remembers on which threads it was called, and fails when it is told to."""

    def __init__(self, **options):
        super().__init__(**options)
        self.rows = {}
        self.threads = set()
        self.calls = []
        self.fails_at = None

    async def _turn(self, name):
        asyncio.get_running_loop()
        self.threads.add(threading.get_ident())
        self.calls.append(name)
        await asyncio.sleep(0)
        if self.fails_at == len(self.calls):
            raise StoreError("gone")

    async def set(self, sid, value):
        await self._turn("set")
        self.rows[sid] = self.serializer.dumps(value)

    async def get(self, sid):
        await self._turn("get")
        return self.serializer.loads(self.rows[sid]) if sid in self.rows else None

    async def delete(self, sid):
        await self._turn("delete")
        self.rows.pop(sid, None)

    async def clear(self, sid=None):
        await self._turn("clear")
        if sid is None:
            self.rows.clear()


class Remote(MemoryStore):
    """A plain store that is far away."""

    remote = True

    def __init__(self, **options):
        super().__init__(**options)
        self.threads = set()

    def get(self, sid):
        self.threads.add(threading.get_ident())
        return super().get(sid)

    def set(self, sid, value):
        self.threads.add(threading.get_ident())
        return super().set(sid, value)

    def take(self, sid):
        self.threads.add(threading.get_ident())
        return super().take(sid)


STORES = {
    "memory": MemoryStore,
    "async": AsyncStore,
    "remote": Remote,
    "layers over async": lambda: LayeredStore(AsyncStore()),
    "cookies, users async": lambda: CookieStore(b"k" * 32, users=AsyncStore()),
}


@pytest.fixture(params=STORES)
def store(request):
    return STORES[request.param]()


async def life(manager):
    """What a visitor does, all of it awaited; the ids that were his in turn."""
    session = manager.open(None)
    await session.aload()
    assert session.new
    session["cart"] = ["apple"]
    first = (await manager.acommit(session)).value

    session = manager.open(first)
    await session.aload()
    session["cart"].append("pear")
    assert session.modified and not session.new
    await manager.acommit(session)

    session = manager.open(first)
    await session.abind("anna")
    session["theme"] = "dark"
    second = (await manager.acommit(session)).value
    session = manager.open(second)
    await session.aload()
    assert session.user_id == "anna" and session["theme"] == "dark"

    await session.arotate()
    third = (await manager.acommit(session)).value
    assert third != second

    await manager.asign_out_everywhere("anna")
    session = manager.open(third)
    await session.aload()
    assert session.new and session.expired

    other = manager.open(None)
    await other.abind("bert")
    fourth = (await manager.acommit(other)).value
    session = manager.open(fourth)
    await session.asign_out_everywhere()
    assert (await manager.acommit(session)).max_age == 0
    return [first, second, third, fourth]


def test_a_life_on_an_event_loop(store):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing of it blocks the loop
        ids = asyncio.run(life(SessionManager(store)))
    assert len(set(ids)) == 4


def test_an_async_store_is_awaited_on_the_loop_that_runs():
    store = AsyncStore()
    asyncio.run(life(SessionManager(store)))
    assert store.threads == {threading.get_ident()}


def test_a_remote_store_is_asked_on_other_threads():
    store = Remote()
    asyncio.run(life(SessionManager(store)))
    assert store.threads and threading.get_ident() not in store.threads


def test_without_an_event_loop_one_is_run_for_it():
    store = AsyncStore()
    manager = SessionManager(store)
    session = manager.open(None)
    session.bind("anna")
    sid = manager.commit(session).value
    assert manager.open(sid).user_id == "anna"
    manager.sign_out_everywhere("anna")
    session = manager.open(sid)
    assert session.expired
    assert threading.get_ident() not in store.threads and len(store.threads) == 1


def test_where_a_loop_runs_the_error_says_what_to_await():
    async def main():
        manager = SessionManager(AsyncStore())
        session = manager.open(None)
        session["a"] = 1
        sid = (await manager.acommit(session)).value
        session = manager.open(sid)
        for wrong, right in (
            (lambda: session["a"], "await session.aload()"),
            (lambda: session.rotate(), "await session.arotate()"),
            (lambda: session.bind(1), "await session.abind()"),
            (lambda: session.destroy(), "await session.adestroy()"),
            (
                lambda: manager.sign_out_everywhere(1),
                "await manager.asign_out_everywhere(user_id)",
            ),
        ):
            with pytest.raises(RuntimeError, match="AsyncStore is asynchronous") as caught:
                wrong()
            assert right in str(caught.value)
        await session.aload()
        assert session["a"] == 1

    asyncio.run(main())


def test_a_remote_store_that_stops_the_loop_is_warned_of():
    async def main():
        session = SessionManager(Remote()).open("x" * 43)
        with pytest.warns(RuntimeWarning, match=r"await session\.arotate\(\)"):
            session.rotate()

    asyncio.run(main())


def test_the_warning_names_the_line_of_the_application():
    async def main():
        manager = SessionManager(Remote())
        sid = "x" * 43
        for blocks in (
            lambda: manager.open(sid).get("a"),
            lambda: manager.open(sid).setdefault("a", 1),
            lambda: manager.open(sid).rotate(),
            lambda: manager.sign_out_everywhere("anna"),
        ):
            with pytest.warns(RuntimeWarning, match="the event loop waits") as caught:
                blocks()
            assert [warning.filename for warning in caught] == [__file__]

    asyncio.run(main())


@pytest.mark.parametrize("make", [AsyncStore, Remote])
def test_cookies_whose_users_are_far_away(make):
    """The cookie is at hand, but whether its user is still signed in must be waited for."""

    async def app(scope, receive, send):
        session = scope["session"]
        assert session.user_id == "anna"
        session["seen"] = True
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert session.user_id == "anna"  # not asked again, where nobody may wait
        await send({"type": "http.response.body", "body": b"yes"})

    async def main():
        users = make()
        manager = SessionManager(CookieStore(b"k" * 32, users=users))
        session = manager.open(None)
        await session.abind("anna")
        sid = (await manager.acommit(session)).value
        fields, body = await visit(ASGISessions(app, manager), sid)
        assert body == b"yes"
        await manager.asign_out_everywhere("anna")
        session = manager.open(sid_of(fields))
        await session.aload()
        assert session.expired
        assert make is AsyncStore or threading.get_ident() not in users.threads

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())


def test_cookies_whose_users_are_async_say_what_to_await():
    async def main():
        manager = SessionManager(CookieStore(b"k" * 32, users=AsyncStore()))
        session = manager.open(None)
        await session.abind("anna")
        sid = (await manager.acommit(session)).value
        with pytest.raises(RuntimeError, match=r"await session\.aload\(\)"):
            manager.open(sid)["a"]

    asyncio.run(main())


def test_all_four_are_alike():
    with pytest.raises(TypeError, match="get of the store's methods are async def, and set"):

        class Mixed(SessionStore):
            def set(self, sid, value):
                pass

            async def get(self, sid):
                pass

    with pytest.raises(TypeError, match="make all four alike"):

        class Half(AsyncStore):
            def get(self, sid):
                pass


def test_a_store_may_say_that_it_is_asynchronous():
    class Wrapped(AsyncStore):
        asynchronous = True

        def get(self, sid):  # no coroutine function, but what it returns is to be awaited
            return super().get(sid)

    assert asyncio.run(life(SessionManager(Wrapped())))


def test_what_is_no_store_is_refused():
    with pytest.raises(TypeError, match="store must be a SessionStore, not dict"):
        SessionManager({})


def test_a_child_of_a_fork_gets_a_loop_of_its_own():
    store = AsyncStore()
    manager = SessionManager(store)
    session = manager.open(None)
    session["a"] = 1
    sid = manager.commit(session).value  # the portal runs
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it has threads: that is the point
        child = os.fork()
    if child == 0:
        try:
            os.write(write, str(manager.open(sid)["a"]).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        assert file.read() == b"1"
    os.waitpid(child, 0)
    assert manager.open(sid)["a"] == 1


@pytest.mark.parametrize("at", [1, 2])
def test_nobody_is_signed_in_while_the_store_is_down(at):
    async def main():
        store = AsyncStore()
        manager = SessionManager(store)
        session = manager.open(None)
        await session.abind("anna")
        sid = (await manager.acommit(session)).value
        session = manager.open(sid)
        store.fails_at = len(store.calls) + at  # the session's record, or the user's
        with pytest.raises(StoreError):
            await session.aload()
        with pytest.raises(RuntimeError):
            session.user_id  # noqa: B018
        await session.aload()
        assert session.user_id == "anna"

    asyncio.run(main())


def scope(cookie=None):
    headers = [] if cookie is None else [(b"cookie", f"guava_sid={cookie}".encode())]
    return {"type": "http", "scheme": "http", "headers": headers}


async def visit(app, cookie=None):
    """The response's fields, and what the application said."""
    sent = []

    async def send(message):
        sent.append(message)

    await app(scope(cookie), None, send)
    return dict(sent[0]["headers"]), b"".join(m.get("body", b"") for m in sent[1:])


def sid_of(fields):
    return fields[b"set-cookie"].decode().partition("=")[2].partition(";")[0]


def test_asgi_reads_before_and_saves_at_the_head(store):
    async def app(scope, receive, send):
        session = scope["session"]
        session["n"] = session.get("n", 0) + 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % session["n"]})

    async def main():
        wrapped = ASGISessions(app, SessionManager(store))
        fields, body = await visit(wrapped)
        assert body == b"1"
        fields, body = await visit(wrapped, sid_of(fields))
        assert body == b"2" and fields[b"vary"] == b"Cookie"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())


@pytest.mark.parametrize("make", [AsyncStore, Remote])
def test_asgi_says_vary_only_when_the_application_looked(make):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def main():
        manager = SessionManager(make())
        session = manager.open(None)
        session["a"] = 1
        sid = (await manager.acommit(session)).value
        fields, _ = await visit(ASGISessions(app, manager), sid)
        assert fields == {}

    asyncio.run(main())


def test_asgi_goes_on_after_the_head(store):
    """A WebSocket's session is used as long as it is open."""
    said = []

    async def app(scope, receive, send):
        session = scope["session"]
        cart = session["cart"]
        await send({"type": "websocket.accept", "headers": []})
        cart.append(2)
        session["more"] = True
        said.append(dict(session))

    async def main():
        manager = SessionManager(store)
        if store.stateless:
            return  # its cookie went with the head: nothing can be saved later
        session = manager.open(None)
        session["cart"] = [1]
        sid = (await manager.acommit(session)).value
        wrapped = ASGISessions(app, manager)
        head = {**scope(sid), "type": "websocket", "scheme": "ws"}

        async def send(message):
            pass

        await wrapped(head, None, send)
        assert said == [{"cart": [1, 2], "more": True}] or not (store.remote or store.asynchronous)
        session = manager.open(sid)
        await session.aload()
        assert session["more"] is True

    asyncio.run(main())


def test_wsgi_with_an_async_store():
    def application(environ, start_response):
        session = environ["guava.session"]
        session["n"] = session.get("n", 0) + 1
        start_response("200 OK", [])
        return [b"%d" % session["n"]]

    wrapped = WSGISessions(application, SessionManager(AsyncStore()))
    got = {}

    def start_response(status, headers, exc_info=None):
        got.update(headers)

    def ask(**more):
        return b"".join(wrapped({"wsgi.url_scheme": "http", **more}, start_response))

    assert ask() == b"1"
    sid = sid_of({b"set-cookie": got["Set-Cookie"].encode()})
    assert ask(HTTP_COOKIE=f"guava_sid={sid}") == b"2"
