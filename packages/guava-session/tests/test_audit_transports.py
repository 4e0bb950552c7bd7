"""The audit inside an application's own tests: WSGI, ASGI, JSON logins, tokens in fields."""

import asyncio
import json
import secrets

import pytest
from guava_session import ASGISessions, MemoryStore, SessionManager
from guava_session.audit import (
    ASGITransport,
    AuditError,
    Request,
    Site,
    Status,
    WSGITransport,
    audit,
)
from guava_session.audit.client import USER_AGENT, Client
from guava_session.audit.errors import OutOfRequests


async def answer(send, status, body=b"", *headers):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body[:3], "more_body": True})
    await send({"type": "http.response.body", "body": body[3:]})


class Echo:
    """An ASGI application that says what it was asked; "/fail" raises."""

    def __init__(self, lifespan="both"):
        self.lifespan = lifespan
        self.said = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        if scope["path"] == "/fail":
            raise ZeroDivisionError
        if scope["path"] == "/nothing":
            return
        if scope["path"] == "/wait":
            await asyncio.sleep(3600)
        message = await receive()
        fields = {k.decode(): v.decode() for k, v in scope["headers"]}
        text = [scope["method"], scope["scheme"], scope["path"], scope["query_string"].decode()]
        text += [fields["host"], fields.get("cookie"), message["body"].decode()]
        await answer(send, 200, json.dumps(text).encode(), (b"x-field", b"a"))
        assert (await receive())["type"] == "http.disconnect"
        self.said.append("left")

    async def live(self, receive, send):
        if self.lifespan == "none":
            raise ValueError("no such scope")
        assert (await receive())["type"] == "lifespan.startup"
        if self.lifespan == "fails":
            await send({"type": "lifespan.startup.failed", "message": "no database"})
            return
        self.loop = asyncio.get_running_loop()
        self.said.append("begun")
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        self.said.append("ended")
        await send({"type": "lifespan.shutdown.complete"})


def test_an_asgi_application_is_asked_in_its_lifespan():
    echo = Echo()
    with ASGITransport(echo) as transport:
        url = "https://site.test/a%20b?c=%20"
        found = transport(Request("POST", url, (("Cookie", "id=1"),), b"body"))
        again = transport(Request("GET", "http://site.test:81/"))
    words = ["POST", "https", "/a b", "c=%20", "site.test", "id=1", "body"]
    assert (found.status, json.loads(found.text)) == (200, words)
    assert found.get("X-Field") == "a"
    assert json.loads(again.text) == ["GET", "http", "/", "", "site.test:81", None, ""]
    assert echo.said == ["begun", "left", "left", "ended"]
    assert echo.loop.is_closed()


def test_an_asgi_application_that_fails():
    with ASGITransport(Echo("none")) as transport:
        assert transport(Request("GET", "http://site.test/fail")).status == 500
        assert transport(Request("GET", "http://site.test/nothing")).status == 500
        assert transport(Request("GET", "http://site.test/")).status == 200


def test_an_asgi_application_that_does_not_start():
    with pytest.raises(AuditError, match="no database"), ASGITransport(Echo("fails")):
        pass


def test_an_asgi_application_that_does_not_answer():
    with ASGITransport(Echo()) as transport:
        transport.timeout = 0.2
        with pytest.raises(AuditError, match=r"no answer within 0\.2 seconds"):
            transport(Request("GET", "http://site.test/wait"))
        transport.timeout = 60


class SPA:
    """A site of scripts: a JSON login, the token of a cookie sent back in a field."""

    def __init__(self, checks_token=True):
        self.checks_token = checks_token

    async def __call__(self, scope, receive, send):
        session, fields = scope["session"], dict(scope["headers"])
        body = (await receive())["body"]
        given = fields.get(b"x-csrf", b"").decode()
        cookies = fields.get(b"cookie", b"").decode("latin-1").split("; ")
        token = next((c[5:] for c in cookies if c.startswith("csrf=")), secrets.token_hex(16))
        headers = [(b"cache-control", b"no-store")]
        headers.append((b"set-cookie", f"csrf={token}; Path=/; SameSite=Lax".encode()))
        page = scope["method"] + scope["path"]
        forged = self.checks_token and (not given or given != token)
        if scope["method"] == "POST" and forged:
            await answer(send, 403, b"", *headers)
        elif page == "POST/login":
            data = json.loads(body)
            good = (data["username"], data["password"], data["realm"]) == ("anna", "secret", "x")
            if good:
                session.bind("anna")
            await answer(send, 204 if good else 401, b"", *headers)
        elif page == "GET/me":
            status = 401 if session.user_id is None else 200
            await answer(send, status, json.dumps({"user": session.user_id}).encode(), *headers)
        elif page == "POST/logout":
            session.destroy()
            await answer(send, 204, b"", *headers)
        elif page == "POST/add":
            before = len(session)
            await asyncio.sleep(0)
            key, _, value = body.decode().partition("&value=")
            session[key] = value
            await answer(send, 200, str(before).encode(), *headers)
        else:
            await answer(send, 200, json.dumps(list(session.values())).encode(), *headers)


def audit_spa(**options):
    site = Site(
        "http://127.0.0.1/",
        login="/login",
        login_json=True,
        login_fields={"realm": "x"},
        username="anna",
        password="secret",
        whoami="/me",
        proof='"user": "anna"',
        logout="/logout",
        write="/add",
        write_body="key={key}&value={value}",
        read="/items",
        csrf_cookie="csrf",
        csrf_header="X-CSRF",
    )
    app = ASGISessions(SPA(**options), SessionManager(MemoryStore()))
    with ASGITransport(app) as transport:
        return audit(site, transport)


def test_a_site_of_scripts():
    report = audit_spa()
    assert not report.findings(), report.text()
    assert {r.check.id for r in report.results if r.status is not Status.PASSED} == {
        "cookie-secure",
        "cookie-prefix",
        "csrf-other-token",  # the form has no hidden field
        "error-survives",
        "tls-hsts",
        "tls-downgrade",
    }, report.text()


def test_a_site_of_scripts_without_tokens():
    found = {r.check.id for r in audit_spa(checks_token=False).findings()}
    assert found == {"csrf-login", "csrf-write", "logout-forged"}


# The limits that hold for all requests.


def counting(asked):
    def application(environ, start_response):
        asked.append((environ["HTTP_USER_AGENT"], environ["CONTENT_LENGTH"]))
        start_response("200 OK", [])
        return [b"x" * 5_000_000]

    return WSGITransport(application)


def test_who_asks_and_how_much_is_read():
    asked = []
    client = Client(counting(asked), "http://site.test/")
    assert len(client.send(Request("POST", "http://site.test/", (), b"abc")).body) == 4 << 20
    assert asked == [(USER_AGENT, "3")]


def test_the_pause_between_requests(monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    client = Client(counting([]), "http://site.test/", delay=0.25, max_requests=3)
    for wait in (True, True, False):
        client.send(Request("GET", "http://site.test/"), wait=wait)
    assert pauses == [0.25]
    with pytest.raises(OutOfRequests, match="limit of 3"):
        client.send(Request("GET", "http://site.test/"))


def test_a_wsgi_application_that_raises_in_its_body():
    def application(environ, start_response):
        start_response("200 OK", [])
        yield b"a"
        raise ZeroDivisionError

    assert WSGITransport(application)(Request("GET", "http://site.test/")).status == 500
