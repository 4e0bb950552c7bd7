"""Sessions bound to a router, over real sockets, in memory and in files."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import guava
import pytest

SOURCE = """
import asyncio
from guava.response import HTTPError

class IndexController(Controller):
    def index(self):
        return "untouched"

    def read(self):
        return str(self.SESSION.get("n"))

    def count(self):
        self.SESSION["n"] = self.SESSION.get("n", 0) + 1
        return str(self.SESSION["n"])

    async def later(self):
        self.SESSION["n"] = self.SESSION.get("n", 0) + 1
        await asyncio.sleep(0)
        self.SESSION["n"] += 10
        return str(self.SESSION["n"])

    def leave(self):
        self.SESSION["n"] = 40
        self.redirect("/index/read")

    def stream(self):
        self.SESSION["n"] = 50
        return iter(["a", "b"])

    def fail(self):
        self.SESSION["n"] = 60
        1 / 0

    async def fail_later(self):
        self.SESSION["n"] = 60
        await asyncio.sleep(0)
        1 / 0

    def refuse(self):
        self.SESSION["n"] = 60
        raise HTTPError(403)

    def rotate(self):
        self.SESSION.rotate()
        return self.SESSION.sid

    def destroy(self):
        self.SESSION.destroy()
        return "gone"

    def public(self):
        self.SESSION["n"] = 1
        self.set_header("Cache-Control", "no-store")
        return "x"
"""


class Remote(guava.session.MemoryStore):
    """As one that is on another machine: it is not asked on the event loop's thread, but where a
    plain action calls what asks it."""

    remote = True


@pytest.fixture(params=["Mem", "File", "remote", "locking"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path
) -> guava.session.SessionStore | guava.session.SessionManager:
    if request.param == "Mem":
        return guava.session.SessionStore(type=guava.session.Mem)
    if request.param == "remote":
        return Remote()
    if request.param == "locking":
        return guava.session.SessionManager(guava.session.MemoryStore(), lock=True)
    return guava.session.SessionStore(type=guava.session.File, directory=tmp_path / "sessions")


@pytest.fixture
def client(serve: Callable, store):
    return serve(store=store, index=SOURCE)


def test_untouched_is_unseen(client) -> None:
    answer = client.ask("/")
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers


def test_read_only_varies(client) -> None:
    answer = client.ask("/index/read")
    assert answer.text == "None"
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Vary"] == "Cookie"


def test_kept_across_requests(client) -> None:
    answer = client.ask("/index/count")
    line = answer.headers["Set-Cookie"]
    assert line.startswith("guava_sid=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
    assert "Secure" not in line
    assert answer.headers["Vary"] == "Cookie"
    assert answer.headers["Cache-Control"] == "private"
    answer = client.ask("/index/count")
    assert answer.text == "2"
    # The browser has its cookie already.
    assert "Set-Cookie" not in answer.headers


def test_two_visitors(client) -> None:
    assert client.ask("/index/count").text == "1"
    first, client.cookies = client.cookies, {}
    assert client.ask("/index/count").text == "1"
    client.cookies = first
    assert client.ask("/index/count").text == "2"


def test_async_action(client) -> None:
    assert client.ask("/index/later").text == "11"
    assert client.ask("/index/read").text == "11"


@pytest.mark.parametrize(("path", "kept"), [("leave", "40"), ("stream", "50")])
def test_kept_with_redirects_and_streams(client, path: str, kept: str) -> None:
    client.ask(f"/index/{path}")
    assert client.ask("/index/read").text == kept


@pytest.mark.parametrize("path", ["fail", "fail_later", "refuse"])
def test_an_exception_keeps_nothing(client, path: str) -> None:
    client.ask("/index/count")
    assert client.ask(f"/index/{path}").status in (403, 500)
    assert client.ask("/index/read").text == "1"


def test_rotate(client) -> None:
    client.ask("/index/count")
    old = client.cookies["guava_sid"]
    assert client.ask("/index/rotate").text == client.cookies["guava_sid"] != old
    assert client.ask("/index/read").text == "1"
    client.cookies["guava_sid"] = old
    assert client.ask("/index/read").text == "None"


def test_destroy(client) -> None:
    client.ask("/index/count")
    old = dict(client.cookies)
    assert "Max-Age=0" in client.ask("/index/destroy").headers["Set-Cookie"]
    assert client.cookies == {}
    client.cookies = old
    assert client.ask("/index/read").text == "None"


@pytest.mark.parametrize("planted", ["A" * 43, "x", "../../etc/passwd", "a" * 5000, "%00"])
def test_a_planted_id_is_not_adopted(client, planted: str) -> None:
    client.cookies["guava_sid"] = planted
    assert client.ask("/index/count").text == "1"
    assert client.cookies["guava_sid"] != planted


def test_an_own_cache_policy_stays(client) -> None:
    assert client.ask("/index/public").headers.get_all("Cache-Control") == ["no-store"]


def test_files_outlive_the_server(serve: Callable, tmp_path: Path) -> None:
    clients = []
    for _ in range(2):
        store = guava.session.SessionStore(type=guava.session.File, directory=tmp_path / "s")
        clients.append(serve(store=store, index=SOURCE))
    clients[0].ask("/index/count")
    clients[1].cookies = clients[0].cookies
    assert clients[1].ask("/index/count").text == "2"


def test_one_store_for_two_routers(site: Callable, run: Callable) -> None:
    store = guava.session.SessionStore(type=guava.session.Mem)
    server = guava.server.Server(port=0)
    for mount in ("/a", "/b"):
        server.add_router(
            guava.router.MVCRouter(mount, package=site(index=SOURCE), session_store=store)
        )
    client = run(server)
    assert client.ask("/a/index/count").text == "1"
    assert client.ask("/b/index/count").text == "2"


# Requests that read before others write lose nothing only where they wait for each other.
@pytest.mark.parametrize("store", ["Mem", "File", "locking"], indirect=True)
def test_parallel_requests_of_one_visitor(client) -> None:
    client.ask("/index/count")
    threads = [threading.Thread(target=client.ask, args=("/index/count",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.ask("/index/read").text == "9"


def test_without_a_store(serve: Callable, caplog) -> None:
    assert serve(index=SOURCE).ask("/index/read").status == 500
    assert "session_store" in str(caplog.records[-1].exc_info[1])


def test_a_refusal_keeps_what_the_hook_changed(serve: Callable, store) -> None:
    client = serve(
        store=store,
        index="""
class IndexController(Controller):
    def before_action(self):
        self.SESSION["tries"] = self.SESSION.get("tries", 0) + 1
        return self.SESSION["tries"] > 2

    def index(self):
        return "let in"
""",
    )
    answers = [client.ask("/") for _ in range(3)]
    assert [answer.status for answer in answers] == [403, 403, 200]
    assert "You may not see this page." in answers[0].text


FORMS = """
class IndexController(Controller):
    def index(self):
        return self.SESSION.csrf_token()

    def change(self):
        self.SESSION.check_csrf(self.POST.get("token"))
        self.SESSION.flash("changed")
        return "changed"

    def notices(self):
        return ", ".join(flash.message for flash in self.SESSION.flashes())

    def login(self):
        self.SESSION.bind("anna")
        return "hello"

    def who(self):
        return str(self.SESSION.user_id)

    def leave(self):
        self.SESSION.sign_out_everywhere()
        return "bye"
"""


def test_forms_and_notices(serve: Callable, store) -> None:
    client = serve(store=store, index=FORMS)
    token = client.ask("/").text
    answer = client.post("/index/change", "")
    assert answer.status == 403 and "did not come from a page of this session" in answer.text
    assert client.post("/index/change", "token=wrong").status == 403
    assert client.post("/index/change", f"token={token}").text == "changed"
    assert client.ask("/index/notices").text == "changed"
    assert client.ask("/index/notices").text == ""


def test_signing_in_and_out_everywhere(serve: Callable, store) -> None:
    phone, desk = (serve(store=store, index=FORMS) for _ in range(2))
    for client in (phone, desk):
        client.ask("/index/login")
        assert client.ask("/index/who").text == "anna"
    phone.ask("/index/leave")
    assert desk.ask("/index/who").text == "None"


def test_a_store_that_is_down_is_no_stranger(serve: Callable, caplog) -> None:
    class Down(guava.session.SessionStore):
        def get(self, sid):
            raise guava.session.StoreError("the server is gone")

    client = serve(store=Down(), index=FORMS)
    client.cookies = {"guava_sid": "A" * 43}
    answer = client.ask("/index/who")
    assert answer.status == 503 and answer.headers["Retry-After"] == "5"
    assert "the server is gone" in caplog.text and "the server is gone" not in answer.text


AWAITING = """
import asyncio, threading

class IndexController(Controller):
    async def before_action(self):
        await asyncio.sleep(0)

    def index(self):
        self.SESSION["n"] = self.SESSION.get("n", 0) + 1
        return str(self.SESSION["n"])

    async def later(self):
        n = self.SESSION.get("n", 0)
        await asyncio.sleep(0.001)
        self.SESSION["n"] = n + 1
        return str(n + 1)

    async def login(self):
        await self.SESSION.abind("anna")
        return "hello"

    async def logout(self):
        await self.SESSION.adestroy()
        return "bye"

    def who(self):
        return str(self.SESSION.user_id)

    def rotate(self):
        self.SESSION.rotate()

    async def fail(self):
        self.SESSION["n"] = 100
        1 / 0

class PlainController(Controller):
    def index(self):
        return str(self.SESSION.get("n"))
"""


class Async(guava.session.SessionStore):
    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, bytes] = {}
        self.threads: set[int] = set()

    async def _turn(self) -> None:
        self.threads.add(threading.get_ident())
        await asyncio.sleep(0)

    async def set(self, sid, value):
        await self._turn()
        self.rows[sid] = self.serializer.dumps(value)

    async def get(self, sid):
        await self._turn()
        return self.serializer.loads(self.rows[sid]) if sid in self.rows else None

    async def delete(self, sid):
        await self._turn()
        self.rows.pop(sid, None)

    async def clear(self, sid=None):
        await self._turn()


@pytest.mark.parametrize("make", [Async, Remote])
def test_a_store_that_is_waited_for(serve: Callable, make, caplog) -> None:
    client = serve(store=make(), index=AWAITING)
    assert "Vary" not in client.ask("/index/nothing").headers
    assert client.ask("/").text == "1"
    assert client.ask("/index/later").text == "2"
    assert client.ask("/index/fail").status == 500
    assert client.ask("/").text == "3"
    old = client.cookies["guava_sid"]
    assert client.ask("/index/login").text == "hello"
    assert client.cookies["guava_sid"] != old
    assert client.ask("/index/who").text == "anna"
    assert client.ask("/index/logout").text == "bye"
    assert client.cookies == {}
    assert client.ask("/index/who").text == "None"


def test_an_async_store_is_awaited_on_the_servers_loop(serve: Callable, caplog) -> None:
    store = Async()
    client = serve(store=store, index=AWAITING)
    for _ in range(3):
        client.ask("/")
    assert len(store.threads) == 1
    # A plain action cannot wait for it, and is told so.
    assert client.ask("/index/rotate").status == 500
    assert "await session.arotate()" in str(caplog.records[-1].exc_info[1])


def test_requests_that_wait_for_each_other(serve: Callable) -> None:
    manager = guava.session.SessionManager(
        guava.session.MemoryStore(), lock=True, lock_timeout=100, cookie_name="mine"
    )
    client = serve(store=manager, index=AWAITING)
    client.ask("/")
    assert set(client.cookies) == {"mine"}
    threads = [threading.Thread(target=client.ask, args=("/index/later",)) for _ in range(8)]
    threads += [threading.Thread(target=client.ask, args=("/index/fail",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.ask("/").text == "10"


def test_a_session_that_cannot_be_loaded_is_not_locked(serve: Callable, monkeypatch) -> None:
    store = guava.session.MemoryStore()
    manager = guava.session.SessionManager(store, lock=True, lock_timeout=100)
    client = serve(store=manager, index=AWAITING)
    client.ask("/")
    client.ask("/")

    def gone(sid: str) -> None:
        raise guava.session.StoreError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(store, "get", gone)
        assert client.ask("/").status == 503
    assert len(store._locks) == 0
    assert client.ask("/").status == 200


@pytest.mark.parametrize("router", [guava.router.MVCRouter, guava.router.RESTRouter])
def test_what_is_no_store_is_refused(router) -> None:
    with pytest.raises(TypeError, match="must be a SessionStore or a SessionManager, not dict"):
        router("/", session_store={})
